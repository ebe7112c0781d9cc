"""seccomp(2): load a compiled filter. Compiling profiles is runtime/seccomp/profile.py's. Hot path."""

from __future__ import annotations

import errno
import os

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall

SECCOMP_FILTER_FLAG_TSYNC = 1
SECCOMP_FILTER_FLAG_LOG = 2
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_GET_ACTION_AVAIL = 2
_INSTRUCTION_BYTES = 8
_MAX_INSTRUCTIONS = 4096


class _SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def load_filter(bpf: bytes, flags: int = 0) -> int:
    """SECCOMP_SET_MODE_FILTER: `bpf` is an array of struct sock_filter in native order.

    Returns 0, or the listener's descriptor with SECCOMP_FILTER_FLAG_NEW_LISTENER. Needs
    no_new_privs or CAP_SYS_ADMIN in the user namespace (EACCES). Holds for good, across exec.
    """
    count, rest = divmod(len(bpf), _INSTRUCTION_BYTES)
    if rest or not 0 < count <= _MAX_INSTRUCTIONS:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    buffer = ctypes.create_string_buffer(bpf, len(bpf))
    program = _SockFprog(count, ctypes.addressof(buffer))
    # Locked: the filter may forbid what the interpreter does to take its lock back.
    return syscall(number("seccomp"), _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(program), locked=True)


def flags_known(flags: int) -> bool:
    """Whether SECCOMP_SET_MODE_FILTER takes these flags: the kernel looks at them before it looks for the filter, which is none."""
    try:
        syscall(number("seccomp"), _SECCOMP_SET_MODE_FILTER, flags, None)
    except OSError as error:
        if error.errno == errno.EFAULT:
            return True
        if error.errno in (errno.EINVAL, errno.ENOSYS):
            return False
        raise
    return False  # no kernel loads a filter that is not there


def action_available(action: int) -> bool:
    """SECCOMP_GET_ACTION_AVAIL: whether the kernel knows a SECCOMP_RET_* action."""
    value = ctypes.c_uint32(action)
    try:
        syscall(number("seccomp"), _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(value))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return False
        raise
    return True
