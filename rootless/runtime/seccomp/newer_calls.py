"""System calls that are newer than a seccomp profile: ENOSYS, whatever the profile's default is.

A profile cannot name what came after it. Libraries try a new system call and fall back on an old one if
the kernel answers ENOSYS; the EPERM that most profiles have as default stops them instead. So, as runc
does it, what has a higher number than all that a profile names for an architecture is taken for newer,
by a few instructions that stand before libseccomp's: libseccomp itself cannot compare numbers. Pure.
"""

from __future__ import annotations

import errno
import struct

# linux/filter.h, and struct seccomp_data's offsets.
_LOAD = 0x20
_IF_EQUAL = 0x15
_IF_GREATER = 0x25
_IF_GREATER_OR_EQUAL = 0x35
_RETURN = 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_SECCOMP_RET_ERRNO = 0x00050000

# One number of the kernel's for two: x32 calls are those of x86_64 with this bit.
AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000


def instructions(newest: dict[int, int], newest_x32: int | None = None) -> bytes:
    """What goes before a filter: ENOSYS for numbers above `newest` of an architecture (AUDIT_ARCH_*), all
    else goes on to the filter. `newest_x32`, with its bit: the same for x32; None leaves that to the filter."""
    blocks = [_block(architecture, number, newest_x32) for architecture, number in newest.items()]
    program = [(_LOAD, 0, 0, _ARCHITECTURE)]
    left = sum(len(block) for block in blocks)
    for block in blocks:
        for code, yes, no, operand in block:
            left -= 1
            # None: behind the last of all blocks, where the filter begins.
            program.append(
                (code, left if yes is None else yes, left if no is None else no, operand),
            )
    return b"".join(struct.pack("=HBBI", *one) for one in program)


_Instruction = tuple[int, "int | None", "int | None", int]


def _block(architecture: int, number: int, newest_x32: int | None) -> list[_Instruction]:
    refuse: _Instruction = (_RETURN, 0, 0, _SECCOMP_RET_ERRNO | errno.ENOSYS)
    block: list[_Instruction] = [(_LOAD, 0, 0, _NUMBER)]
    if architecture != AUDIT_ARCH_X86_64:
        block += [(_IF_GREATER, 0, None, number), refuse]
    elif newest_x32 is None:
        block += [(_IF_GREATER_OR_EQUAL, None, 0, X32_BIT), (_IF_GREATER, 0, None, number), refuse]
    else:
        block += [
            (_IF_GREATER_OR_EQUAL, 1, 0, X32_BIT),
            (_IF_GREATER, 1, None, number),
            (_IF_GREATER, 0, None, newest_x32),
            refuse,
        ]
    return [(_IF_EQUAL, 0, len(block), architecture), *block]
