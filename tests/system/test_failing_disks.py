"""File systems that have no inode, a quota that is used up, or no server: the error names them, nothing half made stays, and
the same command does its work when there is room again."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need, need_program

# As root of a user namespace: a store on a file system of few inodes. `leave N` takes all but N of them.
FEW_INODES = """\
set -u
mount -t tmpfs -o size=60m,nr_inodes=2000,mode=700 small "$1"
export ROOTLESS_ROOT="$1/root" XDG_RUNTIME_DIR="$2" PATH="$4:$PATH"
cd "$2"
mkdir "$1/files" context
leave() {
    rm -rf "$1/files"; mkdir "$1/files"
    free=$(df --output=iavail "$1" | tail -n 1)
    seq $((free - $2)) | sed "s,^,$1/files/," | xargs touch
}
# What fails has to say what is short of where.
try() {
    if out=$("$@" 2>&1); then echo done; else
        case $out in
        *"no space left on $DISK (tmpfs): none of its 2,000 inodes is free"*"df -i $DISK"*) echo named ;;
        *) echo "NOT NAMED: $out" ;;
        esac
    fi
}
DISK=$1
leave "$1" 8; try rootless load -q -i "$3"
leave "$1" 30; try rootless load -q -i "$3"
find "$ROOTLESS_ROOT/layers" "$ROOTLESS_ROOT/blobs/partial" -name '.new-*' -o -type f | head
rm -rf "$1/files"; mkdir "$1/files"
try rootless load -q -i "$3"
rootless run --name box --network none busybox sh -c 'mkdir /m; for n in $(seq 40); do echo $n >/m/$n; done'
printf 'FROM busybox\\nRUN mkdir /made && for n in $(seq 60); do echo $n >/made/$n || exit 1; done\\n' >context/Dockerfile
mkdir many; (cd many; seq 60 | xargs touch)
leave "$1" 40
try rootless build -q -t app context; try rootless commit -q box kept; try rootless cp many box:/many
rm -rf "$1/files"; mkdir "$1/files"
try rootless build -q -t app context; try rootless commit -q box kept; try rootless cp many box:/many
rootless run --rm --network none app sh -c 'ls /made | wc -l'
rootless run --rm --network none kept sh -c 'ls /m | wc -l'
"""


def test_no_inode_is_free(rootless: Rootless, busybox_archive: Path) -> None:
    words = ["unshare", "-Urmpf", "--mount-proc", "--kill-child", "--"]
    need(subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0, "unshare -Urmpf does not work here")
    root, runtime = (Path(tempfile.mkdtemp(prefix="rl-small-", dir=place)) for place in ("/var/tmp", "/tmp"))
    try:
        argv = [*words, "sh", "-c", FEW_INODES, "sh", str(root), str(runtime), str(busybox_archive), str(Path(rootless.argv[0]).parent)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=110, check=False)
    finally:
        remove_tree(root)
        remove_tree(runtime)
    assert done.stdout.splitlines() == ["named", "named", "done", "named", "named", "named", "done", "done", "done", "60", "40"]


class FuseHome:
    """A home that a FUSE server has; what is stored in it stays when the server ends."""

    def __init__(self, base: Path) -> None:
        self.base, self.path = base, base / "home"
        for name in ("lower", "upper", "work", "home"):
            (base / name).mkdir()

    @contextmanager
    def served(self, *before: str) -> Iterator[subprocess.Popen[bytes]]:
        """While it is served: by fuse-overlayfs, started by the words `before`."""
        options = f"lowerdir={self.base}/lower,upperdir={self.base}/upper,workdir={self.base}/work"
        argv = [*before, need_program("fuse-overlayfs"), "-f", "-o", options, str(self.path)]
        server = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            processes.wait_until(lambda: os.path.ismount(self.path), "the FUSE home")
            yield server
        finally:
            subprocess.run([need_program("fusermount3"), "-u", "-z", self.path], check=False, capture_output=True)
            os.killpg(server.pid, signal.SIGKILL)  # a tracer that is killed leaves who it traced
            server.wait(60)


@pytest.fixture
def fuse_home() -> Iterator[FuseHome]:
    base = Path(tempfile.mkdtemp(prefix="rl-fuse-", dir="/var/tmp"))
    yield FuseHome(base)
    remove_tree(base)


@pytest.mark.own_store
def test_a_quota_that_is_used_up(rootless: Rootless, busybox_archive: Path, fuse_home: FuseHome, tmp_path: Path) -> None:
    """The server answers EDQUOT to what is written, as that of a network home does."""
    store = fuse_home.path / "store"
    environment = {"ROOTLESS_ROOT": str(store), "ROOTLESS_LOCAL": str(tmp_path)}
    packed = fuse_home.path / "packed.sqfs"
    full = (need_program("strace"), "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,pwritev",
            "-e", "fault=pwrite64,pwritev:error=EDQUOT")  # fmt: skip
    with fuse_home.served(*full):
        for words in (("load", "-q", "-i", busybox_archive), ("image", "pack", "-o", packed, Path(__file__).parent)):
            said = rootless(*words, env=environment, status=1).stderr
            assert f"the disk quota on {fuse_home.path} (fuse.fuse-overlayfs) is used up" in said
            assert "quota -s" in said
        assert not packed.exists()
    with fuse_home.served():
        assert not [name for _, _, files in os.walk(store) for name in files if "." in name and not name.endswith(".lock")]
        rootless("load", "-q", "-i", busybox_archive, env=environment)
        assert rootless("run", "--rm", "--network", "none", "busybox", "echo", "good", env=environment).stdout == "good\n"
        rootless("image", "pack", "-o", packed, Path(__file__).parent)
        rootless("system", "reset", "-f", env=environment)


@pytest.mark.own_store
def test_a_server_that_is_killed(rootless: Rootless, busybox_archive: Path, fuse_home: FuseHome, tmp_path: Path) -> None:
    """Under running containers: they are shown, stopped and removed; the rest names the file system; mounted again all is good."""
    environment = {"ROOTLESS_ROOT": str(fuse_home.path / "store"), "ROOTLESS_LOCAL": str(tmp_path)}
    run = ("run", "--network", "none")
    with fuse_home.served() as server:
        rootless("load", "-q", "-i", busybox_archive, env=environment)
        for name in ("one", "two", "three"):
            rootless(*run, "-d", "--name", name, "busybox", "sleep", "1000", env=environment)
        os.killpg(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert rootless("ps", "-q", env=environment).stdout.count("\n") == 3
        rootless("stop", "-t", "0", "one", env=environment)
        rootless("rm", "-f", "two", env=environment)
        for words, status in (((*run, "--rm", "busybox", "true"), 125), (("images",), 1), (("pull", "busybox"), 1), (("system", "df"), 1)):
            said = rootless(*words, env=environment, status=status).stderr
            assert f"the program that serves {fuse_home.path} (fuse.fuse-overlayfs) has ended" in said
            assert f"fusermount3 -u -z {fuse_home.path}" in said
    with fuse_home.served():
        assert rootless(*run, "--rm", "busybox", "echo", "good", env=environment).stdout == "good\n"
        rootless("start", "one", env=environment)
        assert rootless("exec", "three", "echo", "goes on", env=environment).stdout == "goes on\n"
        # A server that refuses what is the user's own: an export that is withdrawn, a ticket that has expired.
        names = fuse_home.path / "store/images/names"
        names.chmod(0)
        said = rootless("images", env=environment, status=1).stderr
        assert f"permission denied: {names}" in said
        assert f"the server of {fuse_home.path} (fuse.fuse-overlayfs) says so" in said
        names.chmod(0o700)
        rootless("rm", "-f", "one", "three", env=environment)
        rootless("system", "reset", "-f", env=environment)
