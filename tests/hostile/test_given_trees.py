"""`-v x:y:U` of a tree that somebody else changes, or has made to lead somewhere else."""

from __future__ import annotations

import os
from pathlib import Path

from tests.harness.command import Rootless

ROUNDS = 12
RUN = ("run", "--rm", "--network", "none", "-u", "7:8")


def test_a_directory_that_becomes_a_link(rootless: Rootless, busybox_image: str, payload: Path, trap: Path) -> None:
    """A running container exchanges a directory of the tree and a link to one of the host's, all the time."""
    tree, victim = trap / "tree", trap / "victim"
    for path in (tree / "a/x", victim / "x"):
        path.mkdir(parents=True)
        (path / "file").write_text("x")
    (tree / "b").symlink_to(victim)
    rootless("run", "-d", "--name", "swapper", "--network", "none", "-v", f"{tree}:/tree", "-v",
             f"{payload}:/payload:ro", busybox_image, "/payload", "swap", "/tree/a", "/tree/b")  # fmt: skip
    try:
        for _ in range(ROUNDS):
            rootless(*RUN, "-v", f"{tree}:/data:U", busybox_image, "true")
            assert {path.lstat().st_uid for path in (victim, *victim.rglob("*"))} == {os.getuid()}
            # For the next round to have something to do.
            rootless("run", "--rm", "--network", "none", "-v", f"{tree}:/data:U", busybox_image, "true")
    finally:
        rootless("rm", "-f", "swapper")


def test_no_mount_is_entered(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    tree, other = trap / "tree", trap / "other"
    (tree / "below").mkdir(parents=True)
    (tree / "file").touch()
    other.mkdir()
    (other / "own").touch()
    (other / "one").touch()
    show = "stat -c '%n %u' /data /data/below /data/below/own /data/file"
    script = f"""
        mount --bind {other} {tree}/below && mount --bind {other}/one {tree}/file &&
        exec {rootless.argv[-1]} {' '.join(RUN)} -v {tree}:/data:U {busybox_image} sh -c "{show}"
    """
    found = rootless("unshare", "unshare", "-m", "sh", "-c", script)
    assert found.lines == ["/data 7", "/data/below 0", "/data/below/own 0", "/data/file 0"]
    assert {path.lstat().st_uid for path in (other, *other.rglob("*"))} == {os.getuid()}
    rootless("run", "--rm", "--network", "none", "-v", f"{tree}:/data:U", busybox_image, "true")


def test_too_deep_a_tree(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    deep = trap / "tree"
    deep.mkdir()
    top = os.open(deep, os.O_RDONLY)
    fd = os.dup(top)
    for _ in range(320):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    os.close(top)
    done = rootless(*RUN, "-v", f"{deep}:/data:U", busybox_image, "true", status=125)
    assert "levels deep" in done.stderr
    assert rootless("ps", "-aq").lines == []
