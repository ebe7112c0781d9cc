"""Ethernet frames made by hand, as a hostile container sends them, and what a link sees."""

from __future__ import annotations

import socket
import struct
import time

ANY = b"\xff" * 6
ETH_P_ALL = 3


def mac(interface: str = "eth0") -> bytes:
    with open(f"/sys/class/net/{interface}/address") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram4(source: str, to: str, port: int, payload: bytes = b"hi") -> bytes:
    """UDP in IPv4, from `port` to `port`, without a checksum of UDP's own."""
    body = struct.pack(">HHHH", port, port, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    return head[:10] + struct.pack(">H", _sum(head + ends)) + ends + body


def datagram6(source: str, to: str, port: int, payload: bytes = b"hi") -> bytes:
    """UDP in IPv6."""
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to)
    size = 8 + len(payload)
    body = struct.pack(">HHHH", port, port, size, 0) + payload
    checksum = _sum(ends + struct.pack(">IHBB", size, 0, 0, 17) + body + bytes(len(body) % 2)) or 0xFFFF
    return struct.pack(">IHBB", 6 << 28, size, 17, 64) + ends + body[:6] + struct.pack(">H", checksum) + body[8:]


def arp_reply(address: str, claimed: bytes, to: bytes = ANY) -> bytes:
    """The claim that `address` is at a MAC address."""
    sender = claimed + socket.inet_aton(address)
    return to + claimed + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2) + sender + to + socket.inet_aton(address)


def send(payload: bytes, to: bytes, *, source: bytes | None = None, interface: str = "eth0", protocol: int = 0) -> None:
    """One frame with an IP packet in it, or of that protocol."""
    kind = protocol or (0x86DD if payload[0] >> 4 == 6 else 0x0800)
    send_frame(to + (source or mac(interface)) + struct.pack(">H", kind) + payload, interface)


def send_frame(frame: bytes, interface: str = "eth0") -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
        sending.bind((interface, 0))
        sending.send(frame)


class Seen:
    """The frames that a link receives from now on."""

    def __init__(self, interface: str = "eth0") -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((interface, ETH_P_ALL))

    def with_text(self, text: bytes, *, within_s: float = 1) -> bytes | None:
        """The first one in which `text` is, but for our own; None: none came."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, about = self._socket.recvfrom(1 << 16)
            except TimeoutError:
                return None
            if about[2] != 4 and text in frame:  # PACKET_OUTGOING
                return frame
        return None
