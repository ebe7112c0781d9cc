"""What killed processes were making: told from what is being made by an flock, and moved away under it.

Between its making and its lock nobody can tell a directory from a dead process's. So who makes one looks, once it has the
lock, whether the directory still has its name (`is_called` and `make_locked` of store.py), and else makes another; and who
sweeps gives it another name before the lock is let go.
"""

from __future__ import annotations

import fcntl
import os
import time

_SECONDS_WITHOUT_LOCK = 10


def set_aside(place: str, lock: str = "") -> str:
    """Rename the abandoned `place` to .rm-* beside it: its new path; "" where a living process makes it, or it has gone.

    `lock` is the name of the file in it that its maker has locked, or "" for the directory itself. One that has no such
    file yet gets ten seconds.
    """
    gone = f"{os.path.dirname(place)}/.rm-{os.getpid()}-{os.urandom(6).hex()}"
    flags = (os.O_RDWR if lock else os.O_RDONLY | os.O_DIRECTORY) | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(f"{place}/{lock}" if lock else place, flags)
    except OSError:
        return gone if lock and _is_old(place) and _rename(place, gone) else ""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return gone if _rename(place, gone) else ""
    except BlockingIOError:
        return ""
    finally:
        os.close(fd)


def _rename(place: str, gone: str) -> bool:
    try:
        os.rename(place, gone)
    except FileNotFoundError:
        return False
    return True


def _is_old(place: str) -> bool:
    try:
        return time.time() - os.stat(place).st_mtime > _SECONDS_WITHOUT_LOCK
    except FileNotFoundError:
        return False
