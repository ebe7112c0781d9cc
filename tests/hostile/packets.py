"""TCP packets made by hand, and the wire of a container to send them on: its root may (CAP_NET_RAW)."""

from __future__ import annotations

import re
import socket
import struct

from tests.network.internet import Internet
from tests.network.internet_links import BRIDGES, run

SYN = 2


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def tcp(
    source: str,
    target: str,
    source_port: int,
    port: int,
    *,
    flags: int = SYN,
    words: int = 5,
    data: bytes = b"",
) -> bytes:
    """A segment. words: what it says of its header's length; data: what follows the shortest header."""
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1000, 0, words << 4, flags, 64240, 0, 0) + data
    pseudo = packed(source) + packed(target) + struct.pack("!II", len(segment), 6)
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def ip(
    source: str,
    target: str,
    segment: bytes,
    *,
    options: bytes = b"",
    fragment: int = 0,
    size: int | None = None,
) -> bytes:
    """A packet of either family. options: of IPv4, or whole extension headers of IPv6; size: what it says of its length."""
    if ":" in target:
        length = len(options) + len(segment) if size is None else size
        following = 0 if options else 6  # hop-by-hop options
        return (
            struct.pack("!IHBB", 6 << 28, length, following, 64)
            + packed(source)
            + packed(target)
            + options
            + segment
        )
    length = 20 + len(options) + len(segment) if size is None else size
    first = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, length, 7, fragment, 64, 6, 0)
    header = first + packed(source) + packed(target) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


class Wire:
    """From a container to its gateway."""

    def __init__(self, internet: Internet, name: str) -> None:
        with internet.inside("hub"):
            shown = run("ip", "-o", "link", "show", BRIDGES["one"].name)
        found = re.search(r"link/ether ([0-9a-f:]{17})", shown)
        assert found
        self.socket = internet.make_socket(name, socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("eth0", 0))
        self.addresses = bytes.fromhex(found[1].replace(":", "")) + self.socket.getsockname()[4]

    def send(self, packet: bytes) -> None:
        self.socket.send(self.addresses + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet)


class Device:
    """The gate's device, from behind: whatever traffic control lets through, and what it does not."""

    def __init__(self, internet: Internet) -> None:
        self.socket = internet.make_socket("hub", socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("gate0", 0x0800))

    def send(self, packet: bytes) -> None:
        self.socket.send(packet)
