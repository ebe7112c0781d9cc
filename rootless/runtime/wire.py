"""Messages between the processes of a launch, one per packet; errors travel as data.

    A -> C    mapped                   your user namespace has its ids
    A -> C    rootfs [mount]           a FUSE root, whose daemon A started: attach it
    C -> A    namespaces {} [user, network]    where the user namespace is joined, and nobody may look
    C -> A    ready {} [terminal]      all is mounted; with a terminal its master comes along
    A -> C    start                    the network is up, the state recorded: run
    C -> A    executing, refused {errno}    all but executed; by helpers/exec.c: it could not be
    any up    error {kind, message, hint, errno, step}
    A -> CLI  launched {...}

End of file is a message too: from C that it has exec'd, from A that it is the monitor now.
An unexpected message is an error. HOT.
"""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import RootlessError, raise_data, to_data
from rootless.linux import socket
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

_LARGEST_BYTES = 1 << 16


class Message(Record):
    """One packet. `fds` are the receiver's to close."""

    kind: str
    data: dict[str, Any]
    fds: list[int]


class Channel:
    """One end of a pair; owns its socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def fileno(self) -> int:
        """The socket's descriptor, for poll(2)."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other sees an end of file."""
        self._socket.close()

    def send(self, kind: str, data: dict[str, Any] | None = None, fds: tuple[int, ...] = ()) -> None:
        """Send one message; BrokenPipeError when the other end is gone."""
        packet = jsontext.dumps([kind, data or {}]).encode()
        if fds:
            socket.send_fds(self._socket, [packet], list(fds), socket.MSG_NOSIGNAL)
        else:
            self._socket.send(packet, socket.MSG_NOSIGNAL)

    def send_error(self, error: BaseException, *, step: str) -> None:
        """Send the error as data; silent when nobody is left to hear it. A filter that is loaded may forbid
        that: then it is told on stderr."""
        try:
            self.send("error", to_data(error, step=step))
        except (BrokenPipeError, ConnectionResetError):
            pass
        except OSError:
            os.write(2, f"rootless: {step}: {error}\n".encode(errors="replace"))

    def receive(self) -> Message | None:
        """The next message; None at the end. An error sent from the other side is raised here."""
        try:
            packet, fds, _, _ = socket.recv_fds(self._socket, _LARGEST_BYTES, 4, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return None
        if not packet:
            return None
        try:
            kind, data = jsontext.loads(packet)
        except (ValueError, TypeError):
            kind = data = None
        if type(kind) is not str or type(data) is not dict:
            for fd in fds:
                os.close(fd)
            raise RootlessError("a process of the launch was tampered with")
        if kind == "error":
            for fd in fds:
                os.close(fd)
            raise_data(data)
        return Message(kind, data, fds)

    def expect(self, kind: str) -> Message:
        """The next message, which must be `kind`; an end of file is an error."""
        message = self.receive()
        if message is None:
            raise RootlessError(f"a process of the launch was killed (waiting for {kind!r})")
        if message.kind != kind:
            raise RootlessError(f"unexpected message {message.kind!r} (waiting for {kind!r})")
        return message


def pair() -> tuple[Channel, Channel]:
    """Two connected channels, close-on-exec."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)
