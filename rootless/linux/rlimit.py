"""Resource limits, getrlimit(2): of the calling process; -1 is unlimited.

The module `resource` has them too, as a library to load: 0.2 ms of a start. Hot path.
"""

from __future__ import annotations

from rootless.linux import ctypes
from rootless.linux.libc import libc, raise_errno

# asm-generic/resource.h: the numbers of x86_64 and aarch64.
NUMBERS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}

_Limit = ctypes.c_long * 2


def get_limit(name: str) -> tuple[int, int]:
    """(soft, hard) of one of NUMBERS."""
    limit = _Limit()
    if libc.getrlimit(NUMBERS[name], limit) != 0:
        raise_errno()
    return limit[0], limit[1]


def set_limit(name: str, soft: int, hard: int) -> None:
    """OSError: EPERM above the present hard limit, EINVAL with soft above hard."""
    if libc.setrlimit(NUMBERS[name], _Limit(soft, hard)) != 0:
        raise_errno()


class many_descriptors:
    """As many open files as the hard limit allows, for as long as the context lasts: what we start later has
    the limit that we had."""

    def __enter__(self) -> None:
        self._soft, self._hard = get_limit("RLIMIT_NOFILE")
        if self._soft != self._hard:
            set_limit("RLIMIT_NOFILE", self._hard, self._hard)

    def __exit__(self, *_: object) -> None:
        if self._soft != self._hard:
            set_limit("RLIMIT_NOFILE", self._soft, self._hard)
