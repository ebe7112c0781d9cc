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
            self._exchange.send_raw(data if self._tty else frame(stream, data))

    def fail(self, message: str) -> None:
        """An error after the switch: it is written into the stream."""
        text = f"{message}\r\n".encode("utf-8", "replace")
        self._exchange.send_raw(text if self._tty else frame(STDOUT, text))

    def relay(self, connection: kernel.socket, *, stdin: bool, keys: DetachKeys | None) -> bool:
        """Copy between the client and the monitor of `connection` until the process has ended, or the client has gone;
        whether it detached by its keys. ClientGone."""
        client = self._exchange.sock
        if stdin and self._early and not self._feed(connection, self._early, keys):
            return True
        self._early = b""
        poller = select.poll()
        poller.register(client, select.POLLIN)
        poller.register(connection, select.POLLIN)
        while True:
            for fd, events in poller.poll():
                if fd == connection.fileno():
                    if not self._receive(connection):
                        return False
                    continue
                if events & (select.POLLHUP | select.POLLERR):
                    return False
                data = self._read(client)
                if not data:
                    # It has said all that it has to say: from now on only its going is looked for.
                    poller.register(client, 0)
                    if stdin:
                        _send(connection, bytes([attach.STDIN_END]))
                elif stdin and not self._feed(connection, data, keys):
                    return True

    def _read(self, client: socket.socket) -> bytes:
        try:
            return client.recv(_READ_SIZE)
        except ConnectionResetError:
            return b""

    def _feed(self, connection: kernel.socket, data: bytes, keys: DetachKeys | None) -> bool:
        """Pass input on; False where it held the keys that detach."""
        if keys is not None:
            data = keys.feed(data)
        for start in range(0, len(data), _READ_SIZE):
            _send(connection, bytes([attach.STDIN]) + data[start : start + _READ_SIZE])
        return not (keys is not None and keys.matched)

    def _receive(self, connection: kernel.socket) -> bool:
        """One packet of the monitor's; False where it was the last."""
        try:
            packet = connection.recv(attach.PACKET_LIMIT)
        except ConnectionResetError:
            return False
        if not packet or packet[0] == attach.EXITED:
            return False
        self.say(STDERR if packet[0] == attach.STDERR else STDOUT, packet[1:])
        return True


def _send(connection: kernel.socket, packet: bytes) -> None:
    try:
        connection.send(packet)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the monitor has ended; its last words are still to be read

