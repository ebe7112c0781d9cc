"""Images that one user publishes, and others run: `image publish`, $ROOTLESS_STORES."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal
from tests.harness.trees import remove_tree
from tests.need import need_program
from tests.system.test_hosts import ONE_ID, inside

NOW = ("--network", "none")


@pytest.fixture
def share() -> Iterator[Path]:
    """A directory that everybody may look into; stores are made in it."""
    path = Path(tempfile.mkdtemp(prefix="rl-share-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    remove_tree(path)


@pytest.fixture
def reader(rootless: Rootless, share: Path) -> dict[str, str]:
    """The environment of another machine's user, who has no image and lists the store `share`/images."""
    return {"ROOTLESS_ROOT": str(share / "reader"), "ROOTLESS_STORES": str(share / "images")}


@pytest.mark.own_store
def test_one_publishes_and_another_runs(rootless: Rootless, busybox_archive: Path, share: Path, reader: dict[str, str]) -> None:
    need_program("squashfuse_ll")
    store = share / "images"
    rootless("load", "-q", "-i", busybox_archive)
    os.umask(0o077)
    try:
        assert rootless("image", "publish", store, "busybox").lines == ["busybox:latest"]
    finally:
        os.umask(0o022)
    for path in [store, *store.rglob("*")]:
        for_publishers = path.name == ".publishing.lock"  # whom a reader must not be able to keep out
        assert stat.S_IMODE(path.lstat().st_mode) == (0o755 if path.is_dir() else 0o600 if for_publishers else 0o644), path
    assert [line.split()[0] for line in rootless("image", "publish", store).lines] == ["IMAGE", "busybox:latest"]

    # Nothing is unpacked, and nothing written there.
    before = sorted((path, path.lstat().st_mtime_ns) for path in store.rglob("*"))
    words = ("run", "--name", "box", *NOW, "busybox", "sh", "-c", "stat -c '%u %a' /home/user; echo mine >/etc/mine")
    assert rootless(*words, env=reader).lines == ["1000 755"]
    root = Path(reader["ROOTLESS_ROOT"])
    assert not (root / "layers").exists()
    assert not (root / "images").exists()
    listed = rootless("images", env=reader).lines
    assert [(line.split()[0], line.split()[-1]) for line in listed] == [("REPOSITORY", "R/O"), ("busybox", "true")]
    assert f"Read-only store: {store}: 1 names of images, run from there" in rootless("info", env=reader, warns=True).stdout
    assert str(store) in rootless("image", "inspect", "busybox", env=reader).stdout
    error = rootless("rmi", "busybox", env=reader, status=1).stderr
    assert f"read-only: it is in the store {store}" in error
    assert "image publish --rm" in error
    assert before == sorted((path, path.lstat().st_mtime_ns) for path in store.rglob("*"))

    # What needs layers of one's own copies them, and says so; then the image is one's own.
    done = rootless("diff", "box", env=reader)
    assert set(done.lines) == {"C /etc", "A /etc/mine"}
    assert f"of the store {store} is copied into your own" in done.stderr
    rootless("rm", "box", env=reader)


@pytest.mark.own_store
def test_one_name_for_several_platforms(rootless: Rootless, share: Path, reader: dict[str, str], tmp_path: Path) -> None:
    """All of a list is published, each machine takes what it can run, and --platform replaces one of them."""
    store = share / "images"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n")
    mine, other = ("amd64", "arm64") if os.uname().machine == "x86_64" else ("arm64", "amd64")

    def make(content: str) -> None:
        (tmp_path / "file").write_text(content)
        rootless("build", "-q", "--platform", "linux/amd64,linux/arm64", "-t", "tool", tmp_path)

    def published() -> dict[str, str]:
        rows = [line.split() for line in rootless("image", "publish", store).lines[1:]]
        assert {row[0] for row in rows} == {"tool:latest"}
        return {row[1].removeprefix("linux/"): row[2] for row in rows}

    def seen(*words: str) -> str:
        return rootless("image", "inspect", *words, "-f", "{{.Architecture}} {{slice .Id 7 19}}", "tool", env=reader).stdout.strip()

    make("first")
    person = Terminal([*rootless.argv, "image", "publish", str(store), "tool"], {**rootless.environment, "TERM": "xterm"})
    try:
        person.expect(r"[0-9a-f]{12}: Pushed")
        person.expect(r"squashfs of [0-9a-f]{12}: Pushed")
        assert person.wait() == 0
    finally:
        person.close()
    first = published()
    assert set(first) == {mine, other}
    assert [line.split()[2] for line in rootless("images", env=reader).lines[1:]] == [first[mine]]
    assert (seen(), seen("--platform", f"linux/{other}")) == (f"{mine} {first[mine]}", f"{other} {first[other]}")
    made = rootless("create", "--pull", "never", "--platform", f"linux/{other}", *NOW, "tool", "/x", env=reader).stdout.strip()
    assert rootless("inspect", "-f", "{{slice .Image 7 19}}", made, env=reader).stdout.strip() == first[other]
    rootless("rm", made, env=reader)
    # Where it was copied, the name means what it did.
    assert seen().startswith(mine)

    # By its digest each is found, whatever it is for; the list's means what it does here.
    (listed,) = (path.stem for path in (rootless.root / "images/indexes").iterdir())
    manifests = {path.stem[:12]: json.loads(path.read_text())["manifest"]["digest"] for path in (store / "images/by-id").iterdir()}
    pins = {manifests[first[mine]]: mine, manifests[first[other]]: other, f"sha256:{listed}": mine}
    for where in ({}, reader):
        pinned = {pin: rootless("image", "inspect", "-f", "{{.Architecture}}", f"tool@{pin}", env=where).stdout.strip() for pin in pins}
        assert pinned == pins
    words = ("image", "inspect", "-f", "{{.Architecture}}", "--platform", f"linux/{other}", f"tool@sha256:{listed}")
    assert rootless(*words, env=reader).stdout == f"{other}\n"
    made = rootless("create", "--pull", "never", *NOW, f"tool@sha256:{listed}", "/x", env=reader).stdout.strip()
    assert rootless("inspect", "-f", "{{slice .Image 7 19}}", made, env=reader).stdout.strip() == first[mine]
    rootless("rm", made, env=reader)
    assert "No such image" in rootless("image", "inspect", f"other@sha256:{listed}", env=reader, status=1).stderr
    document = store / "blobs/sha256" / listed
    kept = document.read_bytes()
    document.write_bytes(kept.replace(b"{", b"{ ", 1))
    damaged = rootless("image", "inspect", f"tool@sha256:{listed}", env=reader, status=1, warns=True).stderr
    assert f"{document}: its digest is another one" in damaged
    document.write_bytes(kept)

    make("second")
    assert rootless("image", "publish", "-q", "--platform", f"linux/{other}", store, "tool").stderr == ""
    second = published()
    assert second[mine] == first[mine]
    assert second[other] != first[other]
    # All that a name means is kept; what nothing means goes.
    rootless("image", "publish", "-q", "--keep-days", "0", store, "tool")
    assert second[mine] not in published().values()
    assert len(list((store / "images/by-id").iterdir())) == 2
    assert not document.exists()
    rootless("image", "publish", "--rm", store, "tool")
    assert rootless("images", "-q", env=reader).lines == []


@pytest.mark.own_store
def test_two_publishers_of_one_name(rootless: Rootless, share: Path, tmp_path: Path) -> None:
    """Each adds a platform, both at once: each rename takes seconds, so that both have read the name before one has written it."""
    strace, store = need_program("strace"), share / "images"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    rootless("build", "-q", "--platform", "linux/amd64,linux/arm64", "-t", "tool", "-t", "other", tmp_path)
    rootless("image", "publish", store, "other")  # what takes long is there
    slow = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat", "-e", "inject=renameat:delay_enter=3000000"]
    words = [[*slow, *rootless.argv, "image", "publish", "--platform", f"linux/{one}", str(store), "tool"] for one in ("amd64", "arm64")]
    both = [subprocess.Popen(argv, env=rootless.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for argv in words]
    said = [publisher.communicate(timeout=60)[1].decode() for publisher in both]
    assert [publisher.returncode for publisher in both] == [0, 0], said
    assert "WARNING" not in "".join(said)
    rows = [line.split() for line in rootless("image", "publish", store).lines[1:]]
    assert sorted(row[1] for row in rows if row[0] == "tool:latest") == ["linux/amd64", "linux/arm64"]


@pytest.mark.full
@pytest.mark.own_store
def test_what_builds_on_it_and_how_it_is_taken_away(
    rootless: Rootless, busybox_archive: Path, share: Path, reader: dict[str, str]
) -> None:
    need_program("squashfuse_ll")
    store = share / "images"
    rootless("load", "-q", "-i", busybox_archive)
    rootless("image", "publish", store, "busybox")
    # Twice: what is there is used.
    rootless("image", "publish", store, "busybox")
    assert len(list((store / "images/sqfs").iterdir())) == 1
    assert rootless("history", "-q", "busybox", env=reader).lines
    rootless("create", "--name", "again", *NOW, "busybox", "echo", "hello", env=reader)
    assert [rootless("start", "-a", "again", env=reader).lines for _ in range(2)] == [["hello"], ["hello"]]
    rootless("rm", "again", env=reader)
    built = rootless("build", "-q", "-t", "mine", "-", stdin="FROM busybox\nRUN echo built >/built\n", env=reader)
    assert "copied into your own" in built.stderr
    assert rootless("run", "--rm", *NOW, "mine", "cat", "/built", env=reader).lines == ["built"]
    rootless("rmi", "mine", "busybox", env=reader)

    # Taken away: nobody new can use it, who runs it still can, and its files go after some days.
    rootless("create", "--name", "late", *NOW, "busybox", "true", env=reader)
    assert rootless("image", "publish", "--rm", store, "busybox").lines == ["Untagged: busybox:latest"]
    assert "has no image" in rootless("image", "publish", "--rm", store, "busybox", status=1).stderr
    assert rootless("images", env=reader).lines[1:] == []
    assert "No such image" in rootless("create", "--pull", "never", *NOW, "busybox", env=reader, status=125).stderr
    assert rootless("start", "-a", "late", env=reader).stderr == ""
    for path in [path for path in store.rglob("*") if path.is_file()]:
        os.utime(path, (1e9, 1e9))
    rootless("commit", "-q", rootless("create", "busybox", "true").stdout.strip(), "changed")
    rootless("rm", "-a")
    rootless("image", "publish", store, "changed")
    assert len(list((store / "images/sqfs").iterdir())) == 1
    assert {path.name for path in store.rglob("*") if path.is_file() and path.stat().st_mtime <= 1e9} == {
        "rootless-store.json",
        ".publishing.lock",
    }
    # The container that ran from the file that is gone: nobody has its image any more.
    error = rootless("start", "-a", "late", env=reader, status=1).stderr
    assert "No such image" in error
    rootless("rm", "late", env=reader)


@pytest.mark.full
@pytest.mark.own_store
def test_killed_publishers_leave_a_good_store(
    rootless: Rootless, busybox_archive: Path, share: Path, reader: dict[str, str]
) -> None:
    """At each of their renames; and two at once."""
    strace = need_program("strace")
    store = share / "images"
    rootless("load", "-q", "-i", busybox_archive)
    killed = 0
    while True:
        traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"inject=renameat:signal=SIGKILL:when={killed + 1}"]
        done = subprocess.run([*traced, *rootless.argv, "image", "publish", store, "busybox"],
                              env=rootless.environment, capture_output=True, timeout=60, check=False)  # fmt: skip
        if done.returncode == 0:
            break
        killed += 1
        # Half of it may be there, and nothing of that is damaged.
        assert len(rootless("images", "-q", env=reader, warns=killed == 1).lines) <= 1
    assert killed > 2
    assert len(rootless("images", "-q", env=reader).lines) == 1
    both = [rootless.start("image", "publish", share / "other", "busybox") for _ in range(2)]
    assert [publisher.wait(60) for publisher in both] == [0, 0]
    other = {**reader, "ROOTLESS_STORES": str(share / "other")}
    assert rootless("run", "--rm", *NOW, "busybox", "echo", "hello", env=other).lines == ["hello"]


@pytest.mark.full
@pytest.mark.own_store
def test_users_with_other_ids(rootless: Rootless, busybox_archive: Path, share: Path) -> None:
    """A file has the owners of who made it: who has a range unpacks what one without has published, and is told."""
    script = """
    rootless load -q -i "$1" >&2
    rootless image publish "$2" busybox >&2
    # In this namespace root has no number, so that the directories above the store are nobody's.
    export ROOTLESS_ROOT="$3" ROOTLESS_STORES="$2" XDG_CONFIG_HOME="$2.config"
    mkdir -p "$XDG_CONFIG_HOME/rootless"
    printf 'trusted_stores = "%s"\n' "$2" >"$XDG_CONFIG_HOME/rootless/config.toml"
    rootless run --rm --network none busybox stat -c '%u:%g %a' /home/user
    test ! -e "$3/layers"
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, share / "images", share / "other")
    assert (done.returncode, done.stdout) == (0, "1000:1000 755\n"), done.stderr
    reader = {"ROOTLESS_ROOT": str(share / "reader"), "ROOTLESS_STORES": str(share / "images")}
    ran = rootless("run", "--rm", *NOW, "busybox", "stat", "-c", "%u:%g %a", "/home/user", env=reader)
    assert ran.lines == ["1000:1000 755"]
    assert "no file of it for users with a range of ids" in ran.stderr
    rootless("image", "publish", share / "images", "busybox", env=reader)
    assert len(list((share / "images/images/sqfs").iterdir())) == 2
    other = {**reader, "ROOTLESS_ROOT": str(share / "third")}
    assert rootless("run", "--rm", *NOW, "busybox", "echo", "hello", env=other).stderr == ""
