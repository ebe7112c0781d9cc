"""POST /grpc: BuildKit's protocol, refused in its own words.

buildx, and `docker build` where it is installed, ask the server to go over to HTTP/2 and call BuildKit's gRPC methods there. A
status of HTTP/1.1 they show as "unable to upgrade to h2c", and nothing of what it says; so the connection goes over, and
each call ends at once with UNIMPLEMENTED and a sentence (RFC 9113; gRPC over HTTP/2, "Trailers-Only").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rootless.api.http.exchange import Exchange
from rootless.api.routes.route import STREAMS, Call, Reply, Route
from rootless.errors import InvalidInput, NotSupported

MESSAGE = "rootless builds without BuildKit: set DOCKER_BUILDKIT=0, or use `rootless build`, which reads the same Dockerfiles"

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_LIMIT = 16384  # of a frame that we have to take, as long as no SETTINGS of ours allow more
_MOST_FRAMES = 10_000
_HEADERS, _SETTINGS, _PING, _GOAWAY = 1, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_UNIMPLEMENTED = "12"


def _refuse(call: Call) -> Reply | None:
    exchange = call.exchange
    if exchange.head.upgrade != "h2c":
        raise NotSupported("rootless builds without BuildKit's own protocol", hint=MESSAGE.partition(": ")[2])
    connection = _Bytes(exchange, exchange.hijack("application/grpc"))
    exchange.send_raw(_frame(_SETTINGS, 0, 0, b""))
    if connection.take(len(_PREFACE)) != _PREFACE:
        return None
    for kind, flags, stream, payload in connection.frames():
        if kind == _SETTINGS and not flags & _ACK:
            exchange.send_raw(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK and len(payload) == 8:
            exchange.send_raw(_frame(_PING, _ACK, 0, payload))
        elif kind == _HEADERS and stream:
            exchange.send_raw(_frame(_HEADERS, _END_STREAM | _END_HEADERS, stream, _TRAILERS_ONLY))
        elif kind == _GOAWAY:
            break
    return None


class _Bytes:
    """What the client sends, by the piece."""

    def __init__(self, exchange: Exchange, early: bytes) -> None:
        self._exchange = exchange
        self._have = early

    def take(self, size: int) -> bytes:
        """Exactly so many bytes; fewer where the client has no more to say."""
        while len(self._have) < size:
            try:
                data = self._exchange.sock.recv(_FRAME_LIMIT)
            except (ConnectionResetError, BlockingIOError):  # gone, or silent for too long
                data = b""
            if not data:
                break
            self._have += data
        taken, self._have = self._have[:size], self._have[size:]
        return taken

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Type, flags, stream and payload of each frame, until the client has no more or breaks the bounds."""
        for _ in range(_MOST_FRAMES):
            head = self.take(9)
            if len(head) < 9:
                return
            high, low, kind, flags, stream = struct.unpack(">HBBBI", head)
            size = high << 8 | low
            if size > _FRAME_LIMIT:
                return
            payload = self.take(size)
            if len(payload) < size:
                return
            yield kind, flags, stream & 0x7FFFFFFF, payload


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">HBBBI", len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """A header of HPACK, never indexed, its texts plain (RFC 7541, 6.2.3). Both are shorter than 127 bytes."""
    parts = b""
    for text in (name, value):
        if len(text) >= 127:
            raise InvalidInput(f"too long for a header: {text}")
        parts += bytes([len(text)]) + text.encode("ascii")
    return b"\x10" + parts


_STATUS_200 = b"\x88"  # of the static table
_TRAILERS_ONLY = _STATUS_200 + b"".join(
    _literal(name, value)
    for name, value in (("content-type", "application/grpc"), ("grpc-status", _UNIMPLEMENTED), ("grpc-message", MESSAGE))
)

ROUTES: tuple[Route, ...] = (Route("POST", "/grpc", _refuse, STREAMS),)
