"""A websocket (RFC 6455) of `attach/ws`: input and output of a process as messages, which wsproto takes apart.

moby sends output as it comes, in binary messages, stdout and stderr alike (attach_websocket of its router). A page in a
browser may open a websocket to any address that its user can reach, and nothing but Origin tells: who sends one is refused.
aiodocker sends `http://localhost`, which no page has but that of a server of root's on the user's own machine.
"""

from __future__ import annotations

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import ProtocolError, generate_accept_token

from rootless.api.http.exchange import ClientGone, Exchange
from rootless.api.http.head import Head
from rootless.api.routes.hijacked import Hijacked
from rootless.api.routes.route import Call
from rootless.engine.lifecycle.attach.attach import Outbox
from rootless.engine.lifecycle.attach.terminal import DetachKeys
from rootless.errors import InvalidInput
from rootless.linux import socket as kernel

_OF_AIODOCKER = "http://localhost"
_NORMAL = 1000
_DAMAGED = 1002


def check(head: Head) -> None:
    """InvalidInput for a request that asks for no websocket, or whose Origin says that a page of the web makes it."""
    if head.upgrade != "websocket" or not head.headers.get("sec-websocket-key"):
        raise InvalidInput("bad handshake: this is a websocket's address", hint="or POST to /containers/{id}/attach")
    if head.headers.get("sec-websocket-version", "").strip() != "13":
        raise InvalidInput("bad handshake: Sec-WebSocket-Version is not 13")
    if head.headers.get("origin", _OF_AIODOCKER) != _OF_AIODOCKER:
        raise InvalidInput("bad handshake: a page of the web has nothing to ask here", hint="a client that is none leaves Origin out")


def open_one(call: Call, tty: bool, wants: dict[str, bool]) -> Websocket:
    """Answer the handshake. What the client has sent behind it is read with the first input."""
    key = call.exchange.head.headers["sec-websocket-key"].strip()
    accepted = generate_accept_token(key.encode("utf-8", "replace")).decode()
    early = call.exchange.hijack("application/octet-stream", [("Sec-WebSocket-Accept", accepted)])
    return Websocket(call.exchange, early, tty=tty, stdout=wants["stdout"], stderr=wants["stderr"])


class Websocket(Hijacked):
    """A client that sends and takes messages."""

    def __init__(self, exchange: Exchange, early: bytes, *, tty: bool, stdout: bool, stderr: bool) -> None:
        super().__init__(exchange, early, tty=tty, stdout=stdout, stderr=stderr)
        self._messages = Connection(ConnectionType.SERVER)
        self._stdin = False
        self._closed = False  # by the client

    def relay(self, connection: kernel.socket, *, stdin: bool, keys: DetachKeys | None) -> bool:
        """As the other's, where a client that closes has not detached."""
        self._stdin = stdin
        return super().relay(connection, stdin=stdin, keys=keys) and not self._closed

    def _feed(self, outbox: Outbox, data: bytes, keys: DetachKeys | None) -> bool:
        """What came with the end is input as well, and then it is the end."""
        return super()._feed(outbox, data, keys) and not self._closed

    def send(self, stream: int, data: bytes) -> None:
        """One binary message, whichever stream it is of."""
        if data and self._messages.state is ConnectionState.OPEN:
            self._exchange.send_raw(self._messages.send(BytesMessage(data=data)))

    def received(self, data: bytes) -> bytes:
        """What the messages say, a message that is not whole yet, too. ClientGone where the client closes, or sends none."""
        found = b""
        try:
            if data:
                self._messages.receive_data(data)
            for event in self._messages.events():
                if isinstance(event, BytesMessage):
                    found += event.data
                elif isinstance(event, TextMessage):
                    found += event.data.encode("utf-8", "surrogatepass")
                elif isinstance(event, Ping):
                    self._exchange.send_raw(self._messages.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._exchange.send_raw(self._messages.send(event.response()))
                    self._closed = True
                    break
        except ProtocolError:
            self._end(_DAMAGED)
            raise ClientGone from None
        if self._closed and not (found and self._stdin):
            raise ClientGone
        return found

    def close(self) -> None:
        """Say that this is the end, if it has not been said."""
        self._end(_NORMAL)

    def _end(self, code: int) -> None:
        if self._messages.state is ConnectionState.OPEN:
            self._exchange.send_raw(self._messages.send(CloseConnection(code=code)))
