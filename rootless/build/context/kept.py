"""Directories of what was fetched and is kept: one user at a time, and none of one that is deleted meanwhile."""

from __future__ import annotations

import fcntl
import os

from rootless.storage.store import make_directory, open_lock


def lock(place: str) -> int:
    """Lock the directory `place`, made where it is missing, and note that it is used: a descriptor, to be closed."""
    while True:
        make_directory(place)
        fd = open_lock(place + "/lock")
        fcntl.flock(fd, fcntl.LOCK_EX)
        if is_current(place, fd):
            os.utime(fd)
            return fd
        os.close(fd)  # deleted while we waited


def take(place: str) -> int:
    """Lock it to delete it: -1 where somebody has it."""
    try:
        fd = os.open(place + "/lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_current(place, fd):
            return fd
    except BlockingIOError:
        pass
    os.close(fd)
    return -1


def is_current(place: str, fd: int) -> bool:
    """Whether `fd` is the lock of what is called so now."""
    try:
        return os.path.samestat(os.stat(place + "/lock", follow_symlinks=False), os.fstat(fd))
    except OSError:
        return False
