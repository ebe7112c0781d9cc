"""Names of the UTS namespace (uname(2)). Hot path."""

from __future__ import annotations

import os

from rootless.linux import ctypes
from rootless.linux.libc import libc, raise_errno

_sethostname = libc.sethostname
_sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_setdomainname = libc.setdomainname
_setdomainname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)


def sethostname(name: str) -> None:
    """sethostname(2); at most 64 bytes, else EINVAL."""
    encoded = os.fsencode(name)
    if _sethostname(encoded, len(encoded)) != 0:
        raise_errno()


def setdomainname(name: str) -> None:
    """setdomainname(2): the NIS domain; at most 64 bytes, else EINVAL."""
    encoded = os.fsencode(name)
    if _setdomainname(encoded, len(encoded)) != 0:
        raise_errno()
