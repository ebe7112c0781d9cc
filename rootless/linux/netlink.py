"""rtnetlink(7): links and addresses of the network namespace that the socket was made in.

A message is a header, a fixed structure (LINK, ADDRESS) and attributes. Kernel names; OSError with the
kernel's answer.
"""

from __future__ import annotations

import os

from rootless.linux import socket, struct
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RTM_SETLINK, RTM_NEWADDR, RTM_GETADDR = 19, 20, 22
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
IFLA_IFNAME, IFLA_NET_NS_FD = 3, 28
IFA_CACHEINFO, IFA_LABEL, IFA_F_PERMANENT = 6, 3, 0x80
IFF_UP = 1
LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index

_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 0x001, 0x004, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and value of each attribute in `data`."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:size]
        data = data[max(4, size + -size % 4) :]


class Route:
    """A socket of NETLINK_ROUTE, closed at the end of its `with`. One request at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._sequence = 0

    def __enter__(self) -> Route:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, payload: bytes, flags: int = 0) -> None:
        """One request that changes something; returns when it is done. OSError."""
        self._send(kind, _NLM_F_ACK | flags, payload)
        for answer, data in self._replies():
            if answer == _NLMSG_ERROR:
                _raise(data)
                return

    def dump(self, kind: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and payload of each message that the kernel answers a request for a list with. OSError."""
        self._send(kind, _NLM_F_DUMP, payload)
        for answer, data in self._replies():
            if answer == _NLMSG_DONE:
                return
            if answer == _NLMSG_ERROR:
                _raise(data)
            yield answer, data

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(payload), kind, _NLM_F_REQUEST | flags, self._sequence, 0)
        self._socket.send(header + payload)

    def _replies(self) -> Iterator[tuple[int, bytes]]:
        while True:
            data = self._socket.recv(1 << 16)
            while data:
                size, kind, _, sequence, _ = _HEADER.unpack_from(data)
                if sequence == self._sequence:
                    yield kind, data[_HEADER.size : size]
                data = data[size + -size % 4 :]


def _raise(data: bytes) -> None:
    (code,) = struct.unpack_from("=i", data)
    if code:
        raise OSError(-code, os.strerror(-code))
