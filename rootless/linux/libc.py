"""The C library and raw system calls: prototypes bound once, errno becomes OSError.

Two handles on the same library, on purpose. `libc` (CDLL) drops the interpreter lock during the
call, so that a mount that hangs on a dead server, or a syncfs, stops one thread and not all.
`libc_locked` (PyDLL) keeps it, for calls that change what this thread may still do (a seccomp
filter): after those not even the futex call that takes the lock back is certain to be allowed.

Absence is always ENOSYS: system calls that this architecture's table below does not know are
called with a number no kernel has. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.linux import ctypes
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, NoReturn

libc = ctypes.CDLL(None, use_errno=True)
libc_locked = ctypes.PyDLL(None, use_errno=True)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

# Since 424 every architecture shares its numbers; the older ones differ.
_SHARED = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "close_range": 436,
    "openat2": 437,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_BY_MACHINE = {
    "x86_64": {
        "capget": 125,
        "capset": 126,
        "pivot_root": 155,
        "keyctl": 250,
        "renameat2": 316,
        "seccomp": 317,
        "bpf": 321,
        "statx": 332,
    },
    "aarch64": {
        "capget": 90,
        "capset": 91,
        "pivot_root": 41,
        "keyctl": 219,
        "renameat2": 276,
        "seccomp": 277,
        "bpf": 280,
        "statx": 291,
    },
}
_NO_SUCH_CALL = -1  # every kernel answers it with ENOSYS


def _numbers() -> dict[str, int]:
    # A 32-bit interpreter on a 64-bit kernel has another table and other structures.
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return {}
    own = _BY_MACHINE.get(os.uname().machine)
    return {} if own is None else {**_SHARED, **own}


NUMBERS: dict[str, int] = _numbers()

libc.syscall.restype = ctypes.c_long
libc_locked.syscall.restype = ctypes.c_long


def number(name: str) -> int:
    """The number of system call `name` here; one that yields ENOSYS where we know none."""
    return NUMBERS.get(name, _NO_SUCH_CALL)


def syscall(number: int, *args: Any, path: str | None = None, locked: bool = False) -> int:
    """syscall(2): make a raw system call, returning its result or raising OSError.

    Arguments are ints (passed as long, so that masks keep their upper half), bytes, None, or
    ctypes pointers and arrays. `path` becomes the error's filename. `locked` keeps the
    interpreter lock held (see the module's docstring).
    """
    # ctypes would pass a bare int as a 32-bit one.
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    call = libc_locked.syscall if locked else libc.syscall
    result: int = call(ctypes.c_long(number), *words)
    if result == -1:
        raise_errno(path)
    return result


def raise_errno(path: str | bytes | None = None, path2: str | bytes | None = None) -> NoReturn:
    """Raise OSError (its fitting subclass) for the errno of the last call through this library."""
    code = ctypes.get_errno() or errno.EINVAL
    message = os.strerror(code)
    if path2 is not None:
        raise OSError(code, message, _text(path), None, _text(path2))
    if path is not None:
        raise OSError(code, message, _text(path))
    raise OSError(code, message)


def _text(path: str | bytes | None) -> str | None:
    return None if path is None else os.fsdecode(path)
