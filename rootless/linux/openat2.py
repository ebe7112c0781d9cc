"""openat2(2): open a path that somebody else chose, and never leave the directory meant. Hot path."""

from __future__ import annotations

import errno
import os

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
RESOLVE_CACHED = 0x20

_ATTEMPTS = 64


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def openat2(dirfd: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2): a close-on-exec descriptor, the caller's to close.

    EAGAIN, which RESOLVE_IN_ROOT and RESOLVE_BENEATH give whenever anything on the system was
    renamed or mounted during a walk through "..", is tried again; ELOOP: a link that was ruled
    out; EXDEV: the path leads out. `mode` only counts with O_CREAT or O_TMPFILE.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    encoded = os.fsencode(path)
    for attempt in range(_ATTEMPTS):
        try:
            return syscall(
                number("openat2"), dirfd, encoded, ctypes.byref(how), ctypes.sizeof(how), path=path
            )
        except OSError as error:
            retry = error.errno == errno.EAGAIN and not resolve & RESOLVE_CACHED
            if not retry or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def open_without_links(path: str) -> int:
    """An O_PATH descriptor of `path`, in which no component may be a symbolic link; ELOOP where one is."""
    return openat2(-100, path, os.O_PATH, resolve=RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)  # AT_FDCWD
