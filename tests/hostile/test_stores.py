"""Stores that others publish images in, when those are hostile, or their file server is dead."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rootless.errors import Corrupt
from rootless.image.stores import layout, lookup, reading
from rootless.storage import disk_errors
from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need_program, need_real_ids

NOW = ("--network", "none")


@pytest.fixture
def share() -> Iterator[Path]:
    """A directory that everybody may look into."""
    path = Path(tempfile.mkdtemp(prefix="rl-share-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    remove_tree(path)


@pytest.fixture
def store(rootless: Rootless, busybox_image: str, share: Path) -> Path:
    """A store with busybox in it as `lab/tool` and `lab/other`."""
    names = ("lab/tool", "lab/other")
    for name in names:
        rootless("tag", busybox_image, name)
    rootless("image", "publish", share / "images", *names)
    rootless("rmi", *names)
    return share / "images"


@pytest.fixture
def reader(share: Path) -> dict[str, str]:
    """The environment of a user who has no image and lists that store."""
    return {"ROOTLESS_ROOT": str(share / "reader"), "ROOTLESS_STORES": str(share / "images"), "XDG_CONFIG_HOME": str(share / "config")}


def as_stranger(*words: str | Path) -> None:
    """Run a command as root over our subordinate ids."""
    need_real_ids("the stranger is one of them")
    subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", *words], check=True, timeout=60)


@pytest.mark.full
def test_a_strangers_store(rootless: Rootless, store: Path, share: Path, reader: dict[str, str]) -> None:
    """What is run from it is checked by its layers' digests, and its squashfs not looked at, unless it is trusted by name."""
    need_program("squashfuse_ll")
    (file,) = (store / "images/sqfs").iterdir()
    as_stranger("chown", "-R", "7:7", store)
    trusting = share / "config/rootless"
    trusting.mkdir(parents=True)
    (trusting / "config.toml").write_text(f'stores = "{store}"\ntrusted_stores = "{store}"\n')
    from_file = {key: value for key, value in reader.items() if key != "ROOTLESS_STORES"}
    assert rootless("run", "--rm", *NOW, "lab/tool", "echo", "hello", env=from_file).lines == ["hello"]
    assert not (share / "reader/layers").exists()
    # Then he changes it.
    as_stranger("sh", "-c", 'dd if=/dev/zero of="$1" bs=1 seek=200 count=50 conv=notrunc status=none', "sh", file)
    done = rootless("run", "--rm", *NOW, "lab/tool", "echo", "hello", env=from_file)
    assert done.lines == ["hello"]
    assert f"{file}: its digest is another one" in done.stderr
    rootless("rmi", "lab/tool", env=reader)
    # Nobody has said that he is trusted.
    (trusting / "config.toml").unlink()
    words = ("run", "--rm", *NOW, "lab/tool", "stat", "-c", "%u %a", "/home/user")
    for run in [rootless.start(*words, env=reader) for _ in range(3)]:
        out, said = run.communicate(timeout=60)
        assert (run.returncode, out) == (0, b"1000 755\n"), said
    assert f"rootless: lab/tool:latest of the store {store} is copied into your own: {store} belongs to" in said.decode()
    # Other names that he gives the same image come with none that was asked for.
    assert rootless("images", "--format", "{{.Repository}} {{.ReadOnly}}", env=reader).lines == ["lab/tool false"]
    rootless("rmi", "lab/tool", env=reader)
    identifier = rootless("images", "-q", env=reader).lines[0]
    rootless("create", *NOW, identifier, "true", env=reader)
    assert rootless("images", "--format", "{{.Repository}}", env=reader).lines == ["<none>"]
    rootless("rm", "-a", env=reader)
    rootless("rmi", identifier, env=reader)
    # One file of his in a store of ours is his word, too.
    as_stranger("chown", "-R", "0:0", store)
    as_stranger("chown", "7:7", file)
    done = rootless("create", *NOW, "lab/tool", "true", env=reader)
    assert f"{file} belongs to" in done.stderr
    rootless("rm", "-a", env=reader)


def test_hostile_files(
    rootless: Rootless, store: Path, share: Path, reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each is a warning that names the file; the rest of the store can be used, and what needs no store never looks."""
    names = store / "images/names"
    (record,) = (store / "images/by-id").iterdir()
    good = json.loads(record.read_text())
    tool = names / "docker.io%2Flab%2Ftool:latest"
    named = json.loads(tool.read_text())

    monkeypatch.setenv("ROOTLESS_STORES", str(store))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(share / "config"))

    def listed() -> tuple[list[str], str]:
        monkeypatch.setattr(lookup, "_said", set())
        monkeypatch.setattr(reading, "_reached", dict[str, tuple[float, disk_errors.Told]]())
        found = sorted(name for image in lookup.every() for name in image.names)
        return [name.split("/")[2].removesuffix(":latest") for name in found], capsys.readouterr().err

    def replace(path: Path, make: Callable[[Path], object]) -> tuple[list[str], str]:
        before = path.read_bytes()
        path.unlink()
        try:
            make(path)
            return listed()
        finally:
            path.unlink()
            path.write_bytes(before)

    # Whose it is: one file of another's, or a directory that others may write, and it is a stranger's.
    (file,) = (store / "images/sqfs").iterdir()
    with reading.OpenStore(str(store)) as opened:
        its = f"images/sqfs/{file.name}"
        assert opened.strangers(its) == ""
        as_stranger("chown", "7:7", file)
        assert opened.strangers(its).startswith(f"{file} belongs to ")
        as_stranger("chown", "0:0", file)
        names.chmod(0o777)
        assert opened.strangers(its) == f"{names} may be written by others"
        names.chmod(0o755)
    secret = share / "secret"
    secret.write_bytes(tool.read_bytes())
    assert listed() == (["other", "tool"], "")
    for make, word in (
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to(secret), "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"[" * 100_000), "is no valid JSON"),
        (lambda path: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT), 1 << 40), "is larger than"),
        (lambda path: path.write_text(json.dumps({**named, "name": "docker.io/library/debian:latest"})), "another name than it says"),
        (lambda path: path.write_text(json.dumps({**named, "id": "sha256:../../../../secret"})), "no proper id"),
        (lambda path: path.write_text(json.dumps({**named, "platforms": {"linux/amd64": "../secret"}})), "no proper id"),
        (lambda path: path.write_text(json.dumps({**named, "platforms": dict.fromkeys(map(str, range(101)), "")})), "no proper id"),
    ):
        rows, said = replace(tool, make)
        assert rows == ["other"]
        assert str(tool) in said
        assert word in said
    other = {**good, "manifest": {**good["manifest"], "digest": good["id"], "size": 1}}
    for document in ({**good, "id": "sha256:" + 64 * "0"}, other, {**good, "sizes": ["1"]}, {**good, "manifest": {}}):
        rows, said = replace(record, lambda path: path.write_text(json.dumps(document)))  # noqa: B023
        assert rows == []
        assert "WARNING" in said
    config = store / "blobs/sha256" / good["id"][7:]
    assert "its digest is another one" in replace(config, lambda path: path.write_bytes(b"{}"))[1]
    layer = store / "blobs/sha256" / good["layers"][0]["digest"][7:]
    file.rename(share / "elsewhere.sqfs")
    file.symlink_to(share / "elsewhere.sqfs")
    layer.write_bytes(bytes(layer.stat().st_size))
    said = rootless("create", *NOW, "lab/tool", env=reader, status=None).stderr
    assert str(store) in said
    assert "is corrupt" in said
    assert not list((share / "reader").glob("blobs/sha256/*"))

    # Not to be entered, gone, none.
    for change, word in (
        (lambda: store.chmod(0), "Permission denied"), (lambda: store.chmod(0o755), ""),
        (lambda: (store / "rootless-store.json").unlink(), "is no store of images"), (lambda: store.rename(share / "away"), "No such file"),
    ):
        change()
        rows, said = listed()
        assert word in said
        assert said.count("\n") == bool(word)
    done = rootless("images", env=reader, warns=True)
    assert done.stderr.count("\n") == 1
    assert f"the store {store} cannot be read: No such file" in done.stderr
    assert f"Read-only store: {store}: the store {store} cannot be read" in rootless("info", env=reader, warns=True).stdout
    assert rootless("ps", "-a", env=reader).stderr == ""


def test_a_platform_that_is_not_known_keeps_its_image() -> None:
    """An older version that sweeps a store takes nothing away that a newer one has published."""
    one, other = ("sha256:" + digit * 64 for digit in "12")
    meaning = layout.meaning_of({"id": one, "platforms": {"linux/vax": other}})
    assert meaning is not None
    assert meaning.every() == (one, other)
    assert meaning.choose(None) == one


def test_what_its_path_leads_to(store: Path, share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who can put another directory in its place is a stranger, too; and the directory that was opened counts, wherever a link leads by
    then."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(share / "config"))
    link = share / "link"
    link.symlink_to(store)
    with reading.OpenStore(str(link)) as opened:
        assert opened.real == str(store)
        link.unlink()
        link.symlink_to("/etc")
        assert opened.has("rootless-store.json")
        assert opened.strangers() == ""
        share.chmod(0o777)
        assert opened.strangers() == f"{share}, which it is in, may be written by others"
        share.chmod(0o1777)  # nobody else can rename what is ours there
        assert opened.strangers() == ""
        as_stranger("chown", "7:7", share)
        assert opened.strangers().startswith(f"{share}, which it is in, belongs to ")
        as_stranger("chown", "0:0", share)
        share.chmod(0o755)
    marker = store / "rootless-store.json"
    marker.unlink()
    os.mkfifo(marker)
    with pytest.raises(Corrupt, match="is no regular file"):
        reading.OpenStore(str(store))


@contextlib.contextmanager
def served(store: Path, share: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The store by a FUSE server: its process, and where it is mounted."""
    program = need_program("fuse-overlayfs")
    for name in ("upper", "work", "mounted"):
        (share / name).mkdir()
    options = f"lowerdir={store},upperdir={share}/upper,workdir={share}/work"
    server = subprocess.Popen([program, "-f", "-o", options, share / "mounted"], stderr=subprocess.DEVNULL)
    try:
        processes.wait_until(lambda: os.path.ismount(share / "mounted"), "the file system")
        yield server, share / "mounted"
    finally:
        server.send_signal(signal.SIGCONT)
        subprocess.run([need_program("fusermount3"), "-u", "-z", share / "mounted"], check=False)
        server.kill()  # an image's mount may have a file of it open for a minute
        server.wait(60)


def test_a_dead_file_server_is_named(store: Path, share: Path) -> None:
    with served(store, share) as (server, mounted):
        assert reading.unreachable(str(mounted)).what == ""
        server.kill()
        server.wait(60)
        told = reading.unreachable(f"{mounted}/.")  # asked anew: it is another path
        assert told.what == f"the program that serves {mounted} (fuse.fuse-overlayfs) has ended"
        assert f"fusermount3 -u -z {mounted}" in told.hint


@pytest.mark.full
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_file_server(
    rootless: Rootless, busybox_archive: Path, store: Path, share: Path, reader: dict[str, str], how: signal.Signals
) -> None:
    """Killed or hanging while a container runs from it. What needs the store says so after a while, and goes on; what does not
    need it never waits, nor does one's own image."""
    need_program("squashfuse_ll")
    with served(store, share) as (server, mounted):
        dead = {**reader, "ROOTLESS_STORES": str(mounted)}
        rootless("run", "-d", "--name", "box", *NOW, "lab/tool", "sleep", "1000", env=dead)
        rootless("create", "--name", "late", *NOW, "lab/other", "true", env=dead)
        server.send_signal(how)
        if how is signal.SIGKILL:
            server.wait(60)
        word = "has ended" if how is signal.SIGKILL else "has not answered for"
        said = f"the store {mounted} cannot be read: "
        assert rootless("ps", "-a", env=dead).stderr == ""
        for words, status in (
            (("images",), 0), (("run", "--rm", "--pull", "never", *NOW, "lab/tool", "true"), 125), (("start", "-a", "late"), 1),
        ):  # fmt: skip
            done = rootless(*words, env=dead, status=status, warns=True)
            assert said in done.stderr
            assert f"{mounted} (fuse.fuse-overlayfs)" in done.stderr
            assert word in done.stderr
        # An image of one's own is no different; if it is the same one, it stands in for the store's.
        rootless("load", "-q", "-i", busybox_archive, env=dead)
        assert rootless("run", "--rm", *NOW, "busybox", "echo", "mine", env=dead).lines == ["mine"]
        rootless("start", "-a", "late", env=dead)
        assert rootless("rm", "-f", "box", env=dead).stderr == ""
        assert "Deleted Containers" in rootless("system", "prune", "-f", env=dead).stdout
        assert rootless("ps", "-a", "-q", env=dead).lines == []
