"""Where COPY and ADD write: a path of the Dockerfile, resolved inside the root that is built.

Links of the image are followed inside the root alone (openat2), also one that leads to nothing yet. Nobody
else writes in the root meanwhile.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable

from rootless.errors import Conflict
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.runtime.rootfs_path import walk

# Gives a directory that was made, by its descriptor, to whom it shall belong.
Own = Callable[[int], None]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40


def is_directory(root_fd: int, path: str) -> bool:
    """Whether the path, its links followed inside the root, is a directory."""
    try:
        os.close(_open(root_fd, path, os.O_PATH | os.O_DIRECTORY))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    return True


def make_directory(root_fd: int, path: str, own: Own) -> int:
    """The directory at `path`, made with its parents where it is missing (0755, given away by `own`); the caller's.

    Conflict where a part of the path is a file.
    """
    try:
        return _open(root_fd, path, _DIRECTORY)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _in_the_way(path, error) from None
    try:
        return _make(root_fd, path, own)
    except OSError as error:
        raise _in_the_way(path, error) from None


def file_target(root_fd: int, path: str, own: Own) -> tuple[int, str]:
    """The directory (opened, the caller's; made where it is missing) and the name to write a file at `path` to.

    Where a link stands there, the file takes the place of what it leads to.
    """
    for _ in range(_MOST_LINKS):
        above, name = posixpath.split(posixpath.normpath("/" + path))
        parent = make_directory(root_fd, above, own)
        try:
            link = os.readlink(name, dir_fd=parent)
        except OSError:
            return parent, name
        path = posixpath.join("/" + real_path(root_fd, parent), link)
        os.close(parent)
    raise Conflict(f"too many links at {path}")


def real_path(root_fd: int, fd: int) -> str:
    """What an open file of the root is called in it, without links; "" for the root."""
    top, path = (os.readlink(f"/proc/self/fd/{each}") for each in (root_fd, fd))
    return path.removeprefix(top).strip("/")


def _open(root_fd: int, path: str, flags: int) -> int:
    inside = path.lstrip("/") or "."
    return openat2(root_fd, inside, flags | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def _in_the_way(path: str, error: OSError) -> Exception:
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return Conflict(f"cannot copy to {path}: a part of it is no directory")
    if error.errno == errno.ELOOP:
        return Conflict(f"cannot copy to {path}: its links lead in circles, or out of the file system")
    return error


def _make(root_fd: int, path: str, own: Own) -> int:
    def make(parent: int, name: str, _last: bool) -> None:
        os.mkdir(name, 0o755, dir_fd=parent)
        fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            own(fd)
            os.fchmod(fd, 0o755 | (stat.S_IMODE(os.fstat(fd).st_mode) & stat.S_ISGID))
        finally:
            os.close(fd)

    place = walk(root_fd, path, make=make)
    try:
        return os.open(".", _DIRECTORY, dir_fd=place)
    finally:
        os.close(place)
