"""A socket of rtnetlink(7), in the network namespace that it was made in."""

from __future__ import annotations

import os

from rootless.linux import socket, struct
from rootless.linux.netlink.message import (
    HEADER,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attributes,
    message,
    numbered,
)
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLM_F_ACK_TLVS, _NLMSGERR_ATTR_MSG = 0x200, 1
_TOGETHER = 32
"""Requests in one packet: their answers have to fit into the socket's receive buffer."""


class Route:
    """A socket of NETLINK_ROUTE, closed at the end of its `with`. One request at a time. Errors are the kernel's:
    OSError, with what it says besides the number."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._sequence = 0
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            try:
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:  # before Linux 4.12
                pass

    def __enter__(self) -> Route:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def ask(self, kind: int, payload: bytes, flags: int = 0) -> None:
        """One request that changes something; returns when it is done. OSError."""
        self.send([message(kind, flags, payload)])

    def send(self, requests: Sequence[bytes], *, forgiven: tuple[int, ...] = ()) -> None:
        """Requests that change something, in this order; returns when all are done.

        OSError for the first that failed, but for errors whose number is `forgiven`; those after it were tried.
        """
        failure: OSError | None = None
        for start in range(0, len(requests), _TOGETHER):
            first = self._sequence + 1
            part = requests[start : start + _TOGETHER]
            self._sequence += len(part)
            self._socket.send(b"".join(numbered(each, first + place) for place, each in enumerate(part)))
            for error in self._acknowledgements(first, len(part)):
                if error.errno and error.errno not in forgiven:
                    failure = failure or error
        if failure is not None:
            raise failure

    def _acknowledgements(self, first: int, count: int) -> Iterator[OSError]:
        while count:
            for kind, flags, sequence, data in self._messages():
                if kind == NLMSG_ERROR and sequence >= first:
                    yield _error(data, flags)
                    count -= 1

    def dump(self, kind: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and payload of each message that the kernel answers a request for a list with. OSError."""
        self._request(kind, NLM_F_DUMP, payload)
        while True:
            for answer, flags, sequence, data in self._messages():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    raise _error(data, flags)
                yield answer, data

    def get(self, kind: int, payload: bytes) -> bytes:
        """The payload of the one message that the kernel answers with. OSError."""
        self._request(kind, 0, payload)
        while True:
            for answer, flags, sequence, data in self._messages():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_ERROR:
                    raise _error(data, flags)
                return data

    def _request(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        size = HEADER.size + len(payload)
        self._socket.send(HEADER.pack(size, kind, NLM_F_REQUEST | flags, self._sequence, 0) + payload)

    def _messages(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, sequence number and payload of what one packet holds."""
        data = self._socket.recv(1 << 16)
        while data:
            size, kind, flags, sequence, _ = HEADER.unpack_from(data)
            yield kind, flags, sequence, data[HEADER.size : size]
            data = data[size + -size % 4 :]


def _error(data: bytes, flags: int) -> OSError:
    """What an NLMSG_ERROR says; errno 0 is success."""
    (code,) = struct.unpack_from("=i", data)
    words = os.strerror(-code)
    if flags & _NLM_F_ACK_TLVS:
        # Behind the number and the header of the request, which NETLINK_CAP_ACK has cut.
        for kind, value in attributes(data[4 + HEADER.size :]):
            if kind == _NLMSGERR_ATTR_MSG:
                words += f": {value.rstrip(bytes(1)).decode(errors='replace')}"
    return OSError(-code, words)
