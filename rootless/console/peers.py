"""Who connects: this user's own processes only. On loopback, too, where every user of a machine can knock."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_UCRED = struct.Struct("iII")
_LISTENS = "0A"
"""TCP_LISTEN, as proc_net_tcp(5) writes it."""


def is_owner(sock: socket.socket) -> bool:
    """Whether the process at the other end is this user's. False where that cannot be told."""
    try:
        if sock.family == socket.AF_UNIX:
            _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            return bool(uid == os.getuid())
        return _owner_of(sock.getpeername(), sock.getsockname()) == os.getuid()
    except OSError:
        return False


def is_served_by_owner(host: str, port: int) -> bool:
    """Whether what listens on a port of loopback is this user's. What a console that was killed had been listening on is anybody's
    to take: nothing is told to what answers there before this is known."""
    version = 6 if ":" in host else 4
    wanted = _as_written((host, port), version)
    return any(row[1] == wanted and row[3] == _LISTENS and int(row[7]) == os.getuid() for row in _rows(version))


def _owner_of(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user of the client's end of a connection of this machine, by the kernel's table (proc_net_tcp(5)). None where there
    is none, or no process has it any more: the row of an ended process's says 0."""
    version = 6 if ":" in client[0] else 4
    wanted = [_as_written(client, version), _as_written(server, version)]
    for fields in _rows(version):
        if fields[1:3] == wanted and fields[9] != "0":
            return int(fields[7])
    return None


def _rows(version: int) -> Iterator[list[str]]:
    with open(f"/proc/self/net/tcp{'6' if version == 6 else ''}", encoding="ascii") as table:
        next(table)
        yield from (row.split() for row in table)


def _as_written(address: tuple[str, int], version: int) -> str:
    """As the table has it: words of 32 bits in the machine's order, and the port."""
    packed = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, address[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
