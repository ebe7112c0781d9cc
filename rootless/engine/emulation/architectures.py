"""The architectures that qemu-user can execute: their names, and how their programs begin (elf(5)). Pure."""

from __future__ import annotations

import os
import struct
from typing import Any, NamedTuple

from rootless.image import platforms

_EXECUTABLE = 2  # e_type; 3, a shared object, is a position independent one: the mask lets both through
_TYPE_MASK = 0xFFFE


class Architecture(NamedTuple):
    """`name` as Go and the OCI have it, `qemu` as in qemu-NAME-static; the rest are fields of an ELF header."""

    name: str
    qemu: str
    bits: int
    little_endian: bool
    machine: int

    def magic(self) -> tuple[bytes, bytes]:
        """The first 20 bytes of its programs, and the mask of those that count: any ABI, any version of it."""
        order = "<" if self.little_endian else ">"
        identity = b"\x7fELF" + bytes((self.bits // 32, 1 if self.little_endian else 2, 1)) + bytes(9)
        magic = identity + struct.pack(order + "HH", _EXECUTABLE, self.machine)
        mask = b"\xff" * 7 + bytes(9) + struct.pack(order + "HH", _TYPE_MASK, 0xFFFF)
        return magic, mask


ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("386", "i386", 32, True, 3),
        Architecture("amd64", "x86_64", 64, True, 62),
        Architecture("arm", "arm", 32, True, 40),
        Architecture("arm64", "aarch64", 64, True, 183),
        Architecture("loong64", "loongarch64", 64, True, 258),
        Architecture("mips", "mips", 32, False, 8),
        Architecture("mips64", "mips64", 64, False, 8),
        Architecture("mips64le", "mips64el", 64, True, 8),
        Architecture("mipsle", "mipsel", 32, True, 8),
        Architecture("ppc64", "ppc64", 64, False, 21),
        Architecture("ppc64le", "ppc64le", 64, True, 21),
        Architecture("riscv64", "riscv64", 64, True, 243),
        Architecture("s390x", "s390x", 64, False, 22),
    )
}
# What a processor executes besides its own.
_ALSO = {"amd64": ("386",), "arm64": ("arm",), "mips64": ("mips",), "mips64le": ("mipsle",)}
COMMON = ("amd64", "arm64", "arm", "riscv64", "ppc64le", "s390x")


def is_foreign(architecture: str) -> bool:
    """Whether this machine's processor does not execute it; False for what no image should name."""
    own = platforms.host().architecture
    return architecture in ARCHITECTURES and architecture != own and architecture not in _ALSO.get(own, ())


def foreign(image_config: dict[str, Any]) -> str:
    """The architecture of an image by its configuration, where it is foreign; else ""."""
    architecture = platforms.of(image_config).architecture
    return architecture if is_foreign(architecture) else ""


def is_static_program(path: str) -> bool:
    """Whether `path` is a program for this machine that needs no loader: none would be found in a container."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01" or not os.access(path, os.X_OK):
                return False
            machine = struct.unpack_from("<H", head, 18)[0]
            table, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
            file.seek(table)
            headers = file.read(size * count)
    except (OSError, ValueError, OverflowError):
        return False
    own = ARCHITECTURES.get(platforms.host().architecture)
    kinds = [struct.unpack_from("<I", headers, at)[0] for at in range(0, len(headers) - 3, max(size, 4))]
    return own is not None and machine == own.machine and size >= 56 and len(kinds) == count and _INTERPRETER not in kinds


_INTERPRETER = 3  # PT_INTERP
