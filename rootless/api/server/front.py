"""The front: one thread that accepts, reads heads, and hands each request to a worker. Imports no engine.

It keeps each client's socket while a worker has it, so that a crash of the worker ends the connection, and takes it
up again when the worker gives it back. What it answers itself (pings, the version, errors of HTTP) costs no process.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import time

import h11

from rootless.api import versions
from rootless.api.answer import errors
from rootless.api.http import answers, head
from rootless.api.http.limits import READ_SIZE
from rootless.api.server import wire
from rootless.api.server.ends import Ends
from rootless.api.server.listener import Listener, is_ours
from rootless.errors import InvalidInput
from rootless.record import Record

WORKERS = 64
"""Requests at work at a time; one more is answered by 503."""
STREAMS = 512
"""Requests at a time that mostly wait (wait, attach, logs, events): they keep none of the others from being served."""

_ACCEPTED = 64
"""Connections taken in one go."""


class Settings(Record):
    """`idle_s`: the front ends when nothing was asked for so long, 0: never."""

    idle_s: float = 0.0
    workers: int = WORKERS
    streams: int = STREAMS


class _Client:
    """A connection. `received`: what is read of a request whose head is not whole."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.parser = head.parser()


class _Busy(Record):
    """A request at a worker, and our end of the channel to it."""

    client: _Client
    channel: socket.socket


class Front:
    """Serves `listener` until it is told to end, is idle, or the zygote has ended."""

    def __init__(self, listener: Listener, zygote: socket.socket, ends: Ends, settings: Settings) -> None:
        self.listener = listener
        self.ends = ends
        self.zygote = zygote
        self.settings = settings
        self.selector = selectors.DefaultSelector()
        self.busy: dict[int, _Busy] = {}
        self.streams: set[int] = set()  # of those, who mostly wait
        self.clients: set[_Client] = set()
        self.last_s = time.monotonic()
        self.ending = False

    def run(self) -> bool:
        """Serve; False where the zygote was lost, without which nothing can be answered."""
        self.selector.register(self.listener.sock, selectors.EVENT_READ, self._accept)
        self.selector.register(self.ends.fd, selectors.EVENT_READ, self._told)
        self.selector.register(self.zygote, selectors.EVENT_READ, self._lost)
        lost = False
        try:
            while not self.ending:
                for key, _ in self.selector.select(self._patience()):
                    if key.fileobj is self.zygote:
                        lost = self.ending = True
                    elif key.data is not None:
                        key.data(key.fileobj)
                if not self.busy and self._patience() == 0:
                    break
        finally:
            self._close()
        return not lost

    def _patience(self) -> float | None:
        """Seconds until the service is idle; None: it is not going to be."""
        if not self.settings.idle_s or self.busy:
            return None
        return max(0.0, self.last_s + self.settings.idle_s - time.monotonic())

    def _told(self, _: int) -> None:
        self.ending = True

    def _lost(self, _: socket.socket) -> None:
        self.ending = True

    def _close(self) -> None:
        self.listener.close()
        for client in list(self.clients):
            self._drop(client)
        for each in self.busy.values():
            # The workers see their clients go: streams end, what is being done to a container is finished.
            _hang_up(each.client.sock)
            each.channel.close()
        self.selector.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: socket.socket) -> bool:
        """Whether there may be more."""
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return False
        except OSError:
            # Out of descriptors, or the client has gone: the others are served meanwhile.
            time.sleep(0.01)
            return False
        sock.setblocking(True)
        if is_ours(sock):
            self._listen_to(_Client(sock))
        else:
            sock.close()
        return True

    def _listen_to(self, client: _Client) -> None:
        self.clients.add(client)
        self.selector.register(client.sock, selectors.EVENT_READ, lambda _: self._read(client))

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        self.last_s = time.monotonic()
        self._take(client, data)

    def _take(self, client: _Client, data: bytes) -> None:
        """More of a request; a whole head is answered or handed over."""
        while data:
            client.received += data
            client.parser.receive_data(data)
            data = b""
            try:
                event = client.parser.next_event()
                if event is h11.NEED_DATA:
                    return
                if not isinstance(event, h11.Request):
                    self._drop(client)
                    return
                found = head.read(event)
            except h11.RemoteProtocolError as error:
                self._refuse(client, error.error_status_hint, str(error))
                return
            except InvalidInput as error:
                self._refuse(client, 400, error.message)
                return
            ready = _at_once(found)
            if ready is None:
                self._hand_over(client, found.method)
                return
            rest = self._answer(client, found, ready)
            if rest is None:
                return
            data = rest

    def _answer(self, client: _Client, found: head.Head, ready: _Ready) -> bytes | None:
        """Answer at once; what was read of the next request, None where the connection is over."""
        try:
            whole = isinstance(client.parser.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            self._refuse(client, 400, f"the request's body is damaged: {error}")
            return None
        text = answers.encode(client.parser, found.method, 200, ready.kind, ready.body, more=ready.headers, close=not whole)
        if not self._send(client, text) or not whole or client.parser.our_state is not h11.DONE:
            self._drop(client)
            return None
        rest = bytes(client.parser.trailing_data[0])
        client.received, client.parser = b"", head.parser()
        return rest

    def _refuse(self, client: _Client, status: int, text: str) -> None:
        self._send(client, answers.raw(status, errors.body(text)))
        self._drop(client)

    def _send(self, client: _Client, data: bytes) -> bool:
        """Send at once or not at all: who does not read has to come again."""
        try:
            return client.sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(data)
        except OSError:
            return False

    def _hand_over(self, client: _Client, method: str) -> None:
        if len(self.busy) - len(self.streams) >= self.settings.workers:
            text = f"the service has {self.settings.workers} requests at work, which is its limit: try again"
            self._turn_away(client, method, text)
            return
        try:
            ours, theirs = wire.pair()
        except OSError as error:  # out of descriptors, by idle clients perhaps: this one comes again
            self._turn_away(client, method, f"the service cannot take more requests: {error.strerror}")
            return
        self.selector.unregister(client.sock)
        self.clients.discard(client)
        try:
            wire.hand_over(self.zygote, client.sock, theirs, client.received)
        except OSError:
            ours.close()
            client.sock.close()
            self.ending = True  # the zygote has ended: so does this service
            return
        finally:
            theirs.close()
        self.busy[ours.fileno()] = _Busy(client, ours)
        self.selector.register(ours, selectors.EVENT_READ, self._told_by_worker)

    def _turn_away(self, client: _Client, method: str, text: str) -> None:
        self._send(client, answers.encode(client.parser, method, 503, answers.JSON, errors.body(text), close=True))
        self._drop(client)

    def _told_by_worker(self, channel: socket.socket) -> None:
        packet = b""
        with contextlib.suppress(OSError):
            packet = channel.recv(wire.PACKET_LIMIT)
        if packet == wire.STREAMS:
            self._count_stream(channel)
        else:
            self._given_back(channel, packet)

    def _count_stream(self, channel: socket.socket) -> None:
        """The request is not at work any more, it mostly waits: where there is room for one more that does."""
        room = len(self.streams) < self.settings.streams
        if room:
            self.streams.add(channel.fileno())
        with contextlib.suppress(OSError):  # else it has crashed, and its end is told next
            channel.send(wire.YES if room else wire.NO, socket.MSG_DONTWAIT)

    def _given_back(self, channel: socket.socket, packet: bytes) -> None:
        busy = self.busy.pop(channel.fileno())
        self.streams.discard(channel.fileno())
        self.selector.unregister(channel)
        channel.close()
        self.last_s = time.monotonic()
        client = busy.client
        if not packet.startswith(wire.KEEP):
            _hang_up(client.sock)
            return
        client.received, client.parser = b"", head.parser()
        self._listen_to(client)
        self._take(client, packet[1:])

    def _drop(self, client: _Client) -> None:
        if client in self.clients:
            self.clients.discard(client)
            self.selector.unregister(client.sock)
        client.sock.close()


class _Ready(Record):
    """An answer that needs no worker."""

    kind: str
    body: bytes
    headers: answers.Headers


def _at_once(found: head.Head) -> _Ready | None:
    if found.path == "/_ping" and found.method in ("GET", "HEAD"):
        return _Ready(answers.TEXT, b"OK", versions.ping_headers())
    if found.path == "/version" and found.method == "GET":
        return _Ready(answers.JSON, json.dumps(versions.document()).encode() + b"\n", [])
    return None


def _hang_up(sock: socket.socket) -> None:
    # For all who have the socket: a child of the worker's may, until it executes its program.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
