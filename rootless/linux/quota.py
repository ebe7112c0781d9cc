"""quotactl_fd(2): what the file system of a descriptor allows a user, and what he has."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall

_Q_GETQUOTA = 0x800007
_USER, _GROUP = 0, 1
_BLOCK = 1024  # QIF_DQBLKSIZE: the unit of the limits, whatever the file system's is
_SIZE = 72  # struct if_dqblk: eight numbers of 64 bits, one of 32, and its padding


class Quota(NamedTuple):
    """`whose` is "user" or "group"; a limit of 0 is none. The limits are the hard ones: what no write goes beyond."""

    whose: str
    bytes_used: int
    bytes_limit: int
    files_used: int
    files_limit: int


def of_caller(path: str) -> list[Quota]:
    """The quotas of the caller's user and group on the file system that holds `path`, as far as they can be read: none
    where it has none, or keeps them on a server (NFS, Lustre), and before Linux 5.14. OSError where `path` cannot be opened."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = [
            _read(fd, whose, kind, identifier)
            for whose, kind, identifier in (("user", _USER, os.geteuid()), ("group", _GROUP, os.getegid()))
        ]
    finally:
        os.close(fd)
    return [one for one in found if one is not None]


def _read(fd: int, whose: str, kind: int, identifier: int) -> Quota | None:
    """An id is one of the caller's user namespace; without privilege only one's own are told."""
    buffer = ctypes.create_string_buffer(_SIZE)
    try:
        syscall(number("quotactl_fd"), fd, (_Q_GETQUOTA << 8) | kind, identifier, ctypes.addressof(buffer))
    except OSError:
        return None  # ESRCH: there are none; ENOSYS, EPERM and others: not to be had
    return parse(whose, buffer.raw)


def parse(whose: str, data: bytes) -> Quota:
    """A struct if_dqblk. The numbers are: hard and soft limit of blocks, bytes, hard and soft limit of inodes, inodes."""
    hard, _, used, files_hard, _, files = (int.from_bytes(data[at : at + 8], "little") for at in range(0, 48, 8))
    return Quota(whose, used, hard * _BLOCK, files, files_hard)
