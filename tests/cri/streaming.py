"""The CRI's streams (exec, attach, port forwarding): a WebSocket of the protocol v4.channel.k8s.io, to a server that
listens in the daemon's network namespace alone."""

from __future__ import annotations

import subprocess
import time
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
)

from tests.cri.containerd import Containerd

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)


class Stream:
    """An open stream; `received` holds the bytes of each channel so far."""

    def __init__(self, daemon: Containerd, url: str) -> None:
        parts = urlsplit(url)
        self._process = subprocess.Popen(
            [*daemon.enter(), "socat", "-", f"TCP:{parts.netloc}"], env=daemon.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._socket = WSConnection(ConnectionType.CLIENT)
        self.received: dict[int, bytes] = {}
        self.open = False
        self._write(self._socket.send(Request(parts.netloc, f"{parts.path}?{parts.query}", subprotocols=["v4.channel.k8s.io"])))
        while not self.open:
            self._read()

    def send(self, channel: int, data: bytes) -> None:
        self._write(self._socket.send(BytesMessage(bytes([channel]) + data)))

    def expect(self, channel: int, text: bytes) -> bytes:
        """What `channel` has sent, once `text` is in it."""
        deadline = time.monotonic() + 60
        while text not in self.received.get(channel, b""):
            assert self.open, f"the stream ended: {self.received}"
            assert time.monotonic() < deadline, f"no {text!r}: {self.received}"
            self._read()
        return self.received[channel]

    def rest(self) -> dict[int, bytes]:
        """All that was sent, once the server has closed the stream."""
        while self.open:
            self._read()
        return self.received

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        data = self._process.stdout.read1(65536)  # type: ignore[attr-defined]
        self._socket.receive_data(data or None)
        for event in self._socket.events():
            if isinstance(event, AcceptConnection):
                self.open = True
            elif isinstance(event, RejectConnection):
                raise AssertionError(f"refused: {event.status_code}")
            elif isinstance(event, CloseConnection):
                self.open = False
            elif isinstance(event, Ping):
                self._write(self._socket.send(event.response()))
            elif isinstance(event, Message) and event.data:
                assert isinstance(event.data, (bytes, bytearray))
                channel = event.data[0]
                self.received[channel] = self.received.get(channel, b"") + bytes(event.data[1:])
        if not data:
            self.open = False
