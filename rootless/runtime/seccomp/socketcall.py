"""What goes before a filter that looks at the family of a socket: socketcall(2) of 32-bit x86 makes none.

Its arguments are in memory, where no filter sees them, and libseccomp allows socketcall(SYS_SOCKET) along with
socket(2), without the rule's conditions. 64-bit programs reach it by `int 0x80`. Those who used it have had the
direct calls since Linux 4.3. Imported where a profile is compiled.
"""

from __future__ import annotations

import ctypes

_ERRNO_ENOSYS = 0x00050000 | 38
# BPF_LD|BPF_W|BPF_ABS of a field of struct seccomp_data, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K.
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_AUDIT_ARCH_I386, _I386_SOCKETCALL, _SYS_SOCKET, _SYS_SOCKETPAIR = 0x40000003, 102, 1, 8


def _instruction(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    """struct sock_filter, in the machine's byte order."""
    return bytes(ctypes.c_uint16(code)) + bytes((jt, jf)) + bytes(ctypes.c_uint32(k))


# Falls through to what comes after it: jumps are relative.
REFUSED = b"".join(
    (
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, _AUDIT_ARCH_I386, jf=6),
        _instruction(_LOAD, _NUMBER_AT),
        _instruction(_EQUAL, _I386_SOCKETCALL, jf=4),
        _instruction(_LOAD, _FIRST_ARGUMENT_AT),
        _instruction(_EQUAL, _SYS_SOCKET, jt=1),
        _instruction(_EQUAL, _SYS_SOCKETPAIR, jf=1),
        _instruction(_RETURN, _ERRNO_ENOSYS),
    )
)
