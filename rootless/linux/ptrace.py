"""ptrace(2), as far as they need it who have become tracers unasked: their child said PTRACE_TRACEME.

Imported where a child has stopped for its tracer.
"""

from __future__ import annotations

from rootless.linux import ctypes, signal
from rootless.linux.libc import libc, raise_errno

_DETACH = 17
_GETSIGINFO = 0x4202
_SI_USER = 0

_ptrace = libc.ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def let_go(tid: int, number: int) -> None:
    """PTRACE_DETACH our tracee, stopped by signal `number`, which it gets as if nobody had traced it.

    Not the SIGTRAP of its execve(2), which is for tracers only. Nothing where it is dead or not ours.
    """
    if number == signal.SIGTRAP:
        siginfo = (ctypes.c_int * 32)()  # si_signo, si_errno, si_code, ...
        if _ptrace(_GETSIGINFO, tid, None, ctypes.addressof(siginfo)) == 0 and siginfo[2] == _SI_USER:
            number = 0
    try:
        if _ptrace(_DETACH, tid, None, number) == -1:
            raise_errno()
    except ProcessLookupError:
        pass
