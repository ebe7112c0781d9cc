"""The machine's own files as the lowest layer of a fuse-overlayfs, with some of them hidden.

In the mount namespace of its daemon alone: a copy of all mounts at a place of its own, empty directories mounted over what is
hidden. Imported where a container has such a root.
"""

from __future__ import annotations

import os
import stat

from rootless.linux import mount as m


def mount_host(place: str, hidden: tuple[str, ...]) -> str:
    """Mount "/" with all that is below it read-only at the directory `place`, made where missing, and cover the directories
    `hidden`. Returns `place`."""
    os.makedirs(place, mode=0o700, exist_ok=True)
    fd = m.open_tree(m.AT_FDCWD, "/", m.OPEN_TREE_CLONE | m.AT_RECURSIVE)
    try:
        m.mount_setattr(fd, "", m.AT_EMPTY_PATH | m.AT_RECURSIVE, m.MOUNT_ATTR_RDONLY, 0, m.MS_PRIVATE)
        m.move_mount(fd, "", m.AT_FDCWD, place, m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_T_SYMLINKS)
    finally:
        os.close(fd)
    for path in hidden:
        _cover(place + path)
    return place


def _cover(path: str) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what the caller cannot reach the container cannot either
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            mode = stat.S_IMODE(status.st_mode)
            m.mount("tmpfs", f"/proc/self/fd/{fd}", "tmpfs", m.MS_NOSUID | m.MS_NODEV, f"mode={mode:o},size=4k,nr_inodes=2")
    finally:
        os.close(fd)
