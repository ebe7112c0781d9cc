"""Questions to a published port."""

from __future__ import annotations

import os
import socket


def ask(port: int, text: bytes, *, address: str = "127.0.0.1") -> bytes:
    """What the TCP service behind a published port answers."""
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(text)
        return connection.recv(65536)


def ask_udp(port: int, text: bytes, *, address: str = "127.0.0.1") -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.settimeout(60)
        connection.connect((address, port))
        connection.send(text)
        return connection.recv(65536)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))
