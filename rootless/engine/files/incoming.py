"""Files for a container that does not run, put into its writable directory whole: what is copied from there to their
place in the mounted root is renamed, so that the disk gets it once.

    containers/<id>/incoming    while they are there, a link that says under which name: a killed command's are swept by it

Of the kernel's overlay alone: elsewhere a directory that the driver did not make may mean nothing to it. Wants the session
joined, and the container's lock held.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.remove_tree import remove_tree, remove_tree_at

_LINK = "/incoming"
_NAME = ".rootless-cp-"


@contextmanager
def placed(directory: str, root: Rootfs, staged: str) -> Iterator[str]:
    """The directory `staged`, of the same file system, moved to the top of what `root`, a container's in `directory`, writes
    to, before it is mounted: its name there; "" where that cannot be, and it stays. What is left of it is deleted at the end."""
    name = _NAME + os.urandom(8).hex()
    if not staged or root.driver != "overlay" or not root.upper or root.readonly:
        yield ""
        return
    os.symlink(name, directory + _LINK)
    try:
        try:
            with _times_kept(root.upper):
                os.rename(staged, f"{root.upper}/{name}")
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            name = ""  # another file system: it is copied
        yield name
    finally:
        sweep(directory)


def empty(inside: int) -> None:
    """Delete what is in the open directory; what of it cannot be is left to whoever deletes the directory."""
    for name in os.listdir(inside):
        try:
            os.unlink(name, dir_fd=inside)
        except OSError:  # a directory, whichever way the file system says it
            remove_tree_at(inside, name)


def left(directory: str) -> str | None:
    """What is being copied into the container of `directory`, or was when that was killed: its name at the container's top; "" for
    a link that says no such name, None for nothing."""
    try:
        name = os.readlink(directory + _LINK)
    except FileNotFoundError:
        return None
    return name if name.startswith(_NAME) and "/" not in name else ""


def sweep(directory: str) -> None:
    """Delete what a killed command has left in the container of `directory`."""
    name = left(directory)
    if name is None:
        return
    if name:
        with _times_kept(f"{directory}/upper"):
            remove_tree(f"{directory}/upper/{name}")
    os.unlink(directory + _LINK)


@contextmanager
def _times_kept(path: str) -> Iterator[None]:
    """The container's top is not what has been changed."""
    before = os.stat(path)
    try:
        yield
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
