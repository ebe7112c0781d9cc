"""A store in two places: images on a file system that cannot hold containers, everything else in a local one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.storage.places import record_path
from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need_program, without_range
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside

NOW = ("--network", "none")


@pytest.fixture
def nodes() -> Iterator[list[Path]]:
    """The local disks of two machines."""
    found = [Path(tempfile.mkdtemp(prefix="rl-node-", dir="/var/tmp")) for _ in range(2)]
    yield found
    for path in found:
        remove_tree(path)


@pytest.fixture
def fuse_server() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A FUSE server and the home that it has."""
    program = need_program("fuse-overlayfs")
    base = Path(tempfile.mkdtemp(prefix="rl-fuse-", dir="/var/tmp"))
    for name in ("lower", "upper", "work", "home"):
        (base / name).mkdir()
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    server = subprocess.Popen([program, "-f", "-o", options, base / "home"], stderr=subprocess.DEVNULL)
    try:
        processes.wait_until(lambda: os.path.ismount(base / "home"), "the FUSE home")
        yield server, base / "home"
    finally:
        server.send_signal(signal.SIGCONT)
        subprocess.run([need_program("fusermount3"), "-u", "-z", base / "home"], check=False)
        server.kill()  # a mount namespace that was made meanwhile, by whomever, has the mount, too
        server.wait(60)
        remove_tree(base)


@pytest.fixture
def fuse_home(fuse_server: tuple[subprocess.Popen[bytes], Path]) -> Path:
    """A home that a FUSE server has: no overlay's upper directory can be in it."""
    return fuse_server[1]


@pytest.mark.own_store
def test_another_machine_runs_what_one_has_pulled_and_built(
    rootless: Rootless, busybox_archive: Path, nodes: list[Path]
) -> None:
    need_program("squashfuse_ll")
    first, second = ({"ROOTLESS_LOCAL": str(node)} for node in nodes)
    rootless("load", "-q", "-i", busybox_archive, env=first)
    (here,) = nodes[0].iterdir()
    assert here.stat().st_mode & 0o777 == 0o700
    assert {"blobs", "images"} <= set(os.listdir(rootless.root))
    assert not {"layers", "containers", "names", "events"} & set(os.listdir(rootless.root))
    assert len(os.listdir(rootless.root / "images/sqfs")) == 1
    # The other machine has nothing of it but what is shared: it unpacks nothing.
    words = ("run", "--name", "box", *NOW, "busybox", "sh", "-c", "stat -c '%u %a' /home/user; echo mine >/etc/mine; rm /etc/group")
    assert rootless(*words, env=second).stdout == "1000 755\n"
    (there,) = nodes[1].iterdir()
    assert not (there / "layers").exists()
    assert "box" in rootless("ps", "-a", env=second).stdout
    assert "box" not in rootless("ps", "-a", env=first).stdout
    # What was changed is compared with layers, which come out of their blobs for that; what is committed the first one runs.
    assert set(rootless("diff", "box", env=second).lines) == {"C /etc", "A /etc/mine", "D /etc/group"}
    rootless("commit", "-q", "box", "changed:1", env=second)
    listed = rootless("run", "--rm", *NOW, "changed:1", "sh", "-c", "cat /etc/mine; ls /etc", env=first).lines
    assert listed == ["mine", "hostname", "hosts", "mine", "passwd", "resolv.conf"]
    rootless("rm", "box", env=second)
    assert "Containers: " in rootless("info", env=first, warns=True).stdout
    rootless("rmi", "changed:1", "busybox", env=first)
    assert len(os.listdir(rootless.root / "images/sqfs")) == 2, "the other machine may have just made them"


@pytest.mark.own_store
def test_a_machine_that_cannot_mount_the_file(rootless: Rootless, busybox_archive: Path, nodes: list[Path]) -> None:
    """It unpacks the layers, and says so; an image that is nothing but its file is an error with the remedy."""
    need_program("squashfuse_ll")
    script = f"""export ROOTLESS_LOCAL={nodes[0]}; rootless load -q -i "$1" >&2
    rootless run --name box --network none busybox:latest touch /made; rootless commit -q box made >&2; rootless rm -f box >&2
    export ROOTLESS_LOCAL={nodes[1]} XDG_RUNTIME_DIR=$(mktemp -d); mount --bind /dev/null $(command -v squashfuse_ll)
    rootless run --rm --network none busybox:latest echo runs
    ls {nodes[1]}/*/layers >&2
    rootless run --rm --network none made ls /made && exit 9
    rm -rf "$XDG_RUNTIME_DIR" """
    done = inside(rootless, ALL_IDS, script, busybox_archive)
    assert (done.returncode, done.stdout) == (0, "runs\n"), done.stderr
    assert done.stderr.count(f"without squashfuse_ll the image was unpacked to {nodes[1]}") == 1
    assert "an image file is mounted by squashfuse_ll, which is not installed" in done.stderr


@pytest.mark.own_store
def test_a_home_that_cannot_hold_containers(
    rootless: Rootless, busybox_archive: Path, fuse_home: Path, nodes: list[Path]
) -> None:
    """Found out by trying, said once, remembered for the machine."""
    store = fuse_home / "store"
    environment = {"ROOTLESS_ROOT": str(store), "TMPDIR": str(nodes[0])}
    said = rootless("load", "-q", "-i", busybox_archive, env=environment).stderr
    assert f"images are kept in {store}, containers and unpacked layers in {nodes[0]}/rootless-" in said
    assert rootless("run", "--rm", *NOW, "busybox", "sh", "-c", "echo x >/new && id -u", env=environment).lines == ["0"]
    assert rootless("images", "-q", env=environment).stderr == ""
    known = json.loads(Path(record_path(str(store), str(rootless.sockets))).read_text())
    assert ("overlay: " if without_range() else "refuses files of subordinate ids") in known["refused"][str(store)]
    assert os.listdir(store / "images/sqfs")
    rootless("system", "reset", "--force", env=environment)
    assert not store.exists() or not os.listdir(store)


@pytest.mark.own_store
def test_a_local_place_of_somebody_elses_is_not_used(rootless: Rootless, nodes: list[Path]) -> None:
    environment = {"ROOTLESS_LOCAL": str(nodes[0])}
    rootless("volume", "ls", env=environment)
    (here,) = nodes[0].iterdir()
    here.chmod(0o777)
    assert "somebody else's directory" in rootless("volume", "ls", env=environment, status=1).stderr
    here.rmdir()
    here.symlink_to(nodes[1])
    assert "somebody else's directory" in rootless("volume", "ls", env=environment, status=1).stderr
    assert "cannot hold containers" in rootless("volume", "ls", env={"ROOTLESS_LOCAL": "/proc"}, status=1).stderr


def test_a_user_without_a_range(rootless: Rootless, busybox_archive: Path, nodes: list[Path]) -> None:
    """Owners are attributes in the file then."""
    need_program("squashfuse_ll")
    script = """
    export ROOTLESS_LOCAL="$2"
    rootless load -q -i "$1" >&2
    export ROOTLESS_LOCAL="$3"
    rootless run --rm --network none busybox stat -c '%u:%g %a' /home/user
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, *nodes)
    assert (done.returncode, done.stdout) == (0, "1000:1000 755\n"), done.stderr
    (file,) = (rootless.root / "images/sqfs").iterdir()
    assert file.name.endswith(".one.sqfs")




@pytest.mark.own_store
def test_a_clock_that_is_ahead(rootless: Rootless, busybox_archive: Path, nodes: list[Path]) -> None:
    """A file from the future counts as of today; one of yesterday goes. `system df` counts files and packed directories."""
    need_program("squashfuse_ll")
    environment = {"ROOTLESS_LOCAL": str(nodes[0])}
    rootless("load", "-q", "-i", busybox_archive, env=environment)
    rootless("image", "pack", Path(__file__).parent, "tests", env=environment)
    rows = {line.split("  ")[0] for line in rootless("system", "df", env=environment).lines}
    assert {"Images", "Image Files", "Packed Directories"} <= rows
    rootless("rmi", "busybox", env=environment)
    (kept,) = (rootless.root / "images/sqfs").iterdir()
    gone = kept.with_name("a" * 64 + ".sqfs")
    gone.write_bytes(b"of no image")
    os.utime(gone, (0, time.time() - 100_000))
    os.utime(kept, (0, time.time() + 1e8))
    rootless("image", "prune", "-f", env=environment)
    assert not gone.exists()
    assert kept.stat().st_mtime < time.time() + 3600
