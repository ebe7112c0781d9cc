"""A connection that has left HTTP: a process's streams on one side, the client's raw socket on the other.

The client's end of sending is passed on as the end of stdin, and nothing else: it goes on reading. It has gone at
POLLHUP (moby: container/notify_linux.go).
"""

from __future__ import annotations

import select
import socket

from rootless.api.answer.frames import STDERR, STDOUT, frame
from rootless.api.http.exchange import Exchange
from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.terminal import DetachKeys
from rootless.linux import socket as kernel

_READ_SIZE = 32 * 1024


class Hijacked:
    """`early` is what the client has sent already. With `tty` output is raw, else in frames; a stream that is not
    wanted is dropped."""

    def __init__(self, exchange: Exchange, early: bytes, *, tty: bool, stdout: bool, stderr: bool) -> None:
        self._exchange = exchange
        self._early = early
        self._tty = tty
        self._wanted = {STDOUT: stdout or (tty and stderr), STDERR: stderr}

    def say(self, stream: int, data: bytes) -> None:
        """Output of the process. ClientGone."""
        if self._wanted[stream]:
            self.send(stream, data)

    def send(self, stream: int, data: bytes) -> None:
        """What is said as the client wants it. ClientGone."""
        self._exchange.send_raw(data if self._tty else frame(stream, data))

    def received(self, data: bytes) -> bytes:
        """Input of the process in what the client has sent. ClientGone."""
        return data

    def close(self) -> None:
        """All has been said."""

    def fail(self, message: str) -> None:
        """An error after the switch: it is written into the stream."""
        self.send(STDOUT, f"{message}\r\n".encode("utf-8", "replace"))

    def relay(self, connection: kernel.socket, *, stdin: bool, keys: DetachKeys | None) -> bool:
        """Copy between the client and the monitor of `connection` until the process has ended, or the client has gone;
        whether it detached by its keys. ClientGone."""
        client, outbox = self._exchange.sock, attach.Outbox(connection)
        early, self._early = self.received(self._early), b""
        leaving = bool(stdin and early and not self._feed(outbox, early, keys))
        poller, reading = select.poll(), select.POLLIN
        while not (leaving and not outbox.waiting):
            # While the container takes no input none is read, and its output is passed on all the same.
            poller.register(client, 0 if outbox.waiting else reading)
            poller.register(connection, select.POLLIN | (select.POLLOUT if outbox.waiting else 0))
            for fd, events in poller.poll():
                if fd == connection.fileno():
                    if events & select.POLLOUT:
                        outbox.flush()
                    if events & ~select.POLLOUT and not self._receive(connection):
                        return False
                    continue
                if events & (select.POLLHUP | select.POLLERR):
                    return False
                data = self._read(client)
                if not data:
                    reading = 0  # it has said all that it has to say: from now on only its going is looked for
                    if stdin:
                        outbox.send(bytes([attach.STDIN_END]))
                elif (data := self.received(data)) and stdin and not self._feed(outbox, data, keys):
                    leaving, reading = True, 0
        return True

    def _read(self, client: socket.socket) -> bytes:
        try:
            return client.recv(_READ_SIZE)
        except ConnectionResetError:
            return b""

    def _feed(self, outbox: attach.Outbox, data: bytes, keys: DetachKeys | None) -> bool:
        """Pass input on; False where it held the keys that detach."""
        if keys is not None:
            data = keys.feed(data)
        for start in range(0, len(data), _READ_SIZE):
            outbox.send(bytes([attach.STDIN]) + data[start : start + _READ_SIZE])
        return not (keys is not None and keys.matched)

    def _receive(self, connection: kernel.socket) -> bool:
        """One packet of the monitor's; False where it was the last."""
        packet = attach.receive(connection)
        if not packet or packet[0] == attach.EXITED:
            return False
        self.say(STDERR if packet[0] == attach.STDERR else STDOUT, packet[1:])
        return True

