"""Who connects: this user's own processes only. On loopback, too, where every user of a machine can knock."""

from __future__ import annotations

import os
import socket
import struct

_UCRED = struct.Struct("iII")


def is_owner(sock: socket.socket) -> bool:
    """Whether the process at the other end is this user's. False where that cannot be told."""
    try:
        if sock.family == socket.AF_UNIX:
            _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            return bool(uid == os.getuid())
        return _owner_of(sock.getpeername(), sock.getsockname()) == os.getuid()
    except OSError:
        return False


def _owner_of(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user of the client's end of a connection of this machine, by the kernel's table (proc_net_tcp(5)). None where there
    is none, or no process has it any more: the row of an ended process's says 0."""
    version = 6 if ":" in client[0] else 4
    wanted = [_as_written(client, version), _as_written(server, version)]
    with open(f"/proc/self/net/tcp{'6' if version == 6 else ''}", encoding="ascii") as table:
        next(table)
        for row in table:
            fields = row.split()
            if fields[1:3] == wanted and fields[9] != "0":
                return int(fields[7])
    return None


def _as_written(address: tuple[str, int], version: int) -> str:
    """As the table has it: words of 32 bits in the machine's order, and the port."""
    packed = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, address[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
