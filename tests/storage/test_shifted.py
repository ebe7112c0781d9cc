"""Trees that are given to a container's ids."""

from __future__ import annotations

import os
from pathlib import Path

from rootless.storage.drivers import shifted
from tests.harness.trees import remove_tree


def test_a_tree_deeper_than_an_interpreter_s_stack(tmp_path: Path) -> None:
    """An image's or a volume's, which is a stranger's."""
    top = os.open(tmp_path, os.O_RDONLY)
    fd = os.dup(top)
    for name in ["tree", *["d"] * 1500]:
        os.mkdir(name, dir_fd=fd)
        fd, above = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(above)
    os.symlink("/etc/passwd", "link", dir_fd=fd)
    own = [[os.getuid(), os.getuid(), 1]], [[os.getgid(), os.getgid(), 1]]
    shifted.give(str(tmp_path / "tree"), *own)  # to whom it belongs: all that an ordinary user may; no RecursionError
    assert os.stat("link", dir_fd=fd, follow_symlinks=False).st_uid == os.getuid()
    os.close(fd)
    os.close(top)
    remove_tree(tmp_path / "tree")
