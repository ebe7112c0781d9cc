"""Messages of rtnetlink(7): a header, a fixed structure and attributes. Kernel names; pure."""

from __future__ import annotations

from rootless.linux import struct
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x001, 0x004, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port


def message(kind: int, flags: int, payload: bytes) -> bytes:
    """A whole request that changes something, to be acknowledged; whoever sends it numbers it."""
    return HEADER.pack(HEADER.size + len(payload), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 0, 0) + payload


def numbered(request: bytes, sequence: int) -> bytes:
    """The same with its sequence number, padded to stand before another."""
    return request[:8] + struct.pack("=I", sequence) + request[12:] + bytes(-len(request) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return struct.pack("=HHI", 8, kind, value)


def byte(kind: int, value: int) -> bytes:
    """An attribute of 8 bits."""
    return struct.pack("=HHBxxx", 5, kind, value)


def text(kind: int, value: str) -> bytes:
    """An attribute with a name, as the kernel ends it."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *inside: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(inside))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and value of each attribute in `data`."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & NLA_TYPE_MASK, data[4:size]
        data = data[max(4, size + -size % 4) :]
