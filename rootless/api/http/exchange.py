"""One request and its answer, in the worker that has the client's socket: blocking, one thread, nothing in between.

A slow client slows this process alone. A client has gone when its socket hangs up (POLLHUP), never when it has only
ended its sending side: `docker run` without -i does that at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11

from rootless import interrupts
from rootless.api import versions
from rootless.api.http import answers, head
from rootless.api.http.head import Head
from rootless.api.http.limits import BODY_READ_SIZE, DOCUMENT_LIMIT, HEAD_LIMIT
from rootless.errors import InvalidInput

_DRAINED_BYTES = 256 * 1024
_SIOCOUTQ = termios.TIOCOUTQ
_SEEN_S = 0.05
_TIMEVAL = struct.Struct("ll")


class ClientGone(BaseException):
    """The client has hung up: nobody is left to answer. As KeyboardInterrupt, nothing on the way catches it."""


class Exchange:
    """A request on `sock`, of which `received` has been read already. Owns neither the socket nor its file."""

    def __init__(self, sock: socket.socket, received: bytes) -> None:
        self.sock = sock
        self.answered = False
        self._parser = head.parser()
        self._parser.receive_data(received)
        event = self._parser.next_event()
        assert isinstance(event, h11.Request), "the front hands over whole heads"
        self.head: Head = head.read(event)
        self._body_over = False
        self._out_of_http = False
        self._told = False

    # The request's body

    def body(self) -> Iterator[bytes]:
        """The body in pieces, as they come; once. InvalidInput where it breaks off or is no body of HTTP."""
        while not self._body_over:
            event = self._next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._body_over = True

    def _next_event(self) -> Any:
        while True:
            try:
                event = self._parser.next_event()
            except h11.RemoteProtocolError as error:
                raise InvalidInput(f"the request's body is damaged: {error}") from None
            if event is not h11.NEED_DATA:
                return event
            if self._parser.they_are_waiting_for_100_continue:
                self._send(self._parser.send(h11.InformationalResponse(status_code=100, headers=[])))
            try:
                data = self.sock.recv(BODY_READ_SIZE)
            except (ConnectionResetError, BlockingIOError):
                raise self._gone() from None
            if not data:
                raise InvalidInput("the request's body breaks off: unexpected EOF")
            self._parser.receive_data(data)

    def document(self) -> Any:
        """The body as JSON; None where there is none. InvalidInput for what is no JSON, or too much."""
        kind = self.head.headers.get("content-type", "").partition(";")[0].strip().lower()
        pieces, size = [], 0
        for piece in self.body():
            size += len(piece)
            if size > DOCUMENT_LIMIT:
                raise InvalidInput(f"the request's body is too large: more than {DOCUMENT_LIMIT >> 20} MiB")
            pieces.append(piece)
        text = b"".join(pieces)
        if not text.strip():
            return None
        # Also where it says nothing, as moby: a page in a browser can send that to a forwarded socket, and no other type of JSON.
        if kind != "application/json":
            raise InvalidInput(f"Content-Type specified ({kind}) must be 'application/json'")
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise InvalidInput("invalid JSON: too deep") from None
        except ValueError as error:
            raise InvalidInput(f"invalid JSON: {error}") from None

    # Answers

    def answer(self, status: int, kind: str, body: bytes, more: answers.Headers | None = None) -> None:
        """The whole answer."""
        self.answered = True
        self.drain()
        self._send(
            answers.encode(self._parser, self.head.method, status, kind, body, more=more, close=not self._body_over)
        )

    def begin(self, kind: str, *, status: int = 200, more: answers.Headers | None = None) -> None:
        """The head of an answer whose body comes by `write`, chunk by chunk."""
        self.answered = True
        headers = [*versions.headers(), *(more or []), ("Content-Type", kind)]
        if self.head.method != "HEAD" and self._parser.their_http_version != b"1.0":
            headers.append(("Transfer-Encoding", "chunked"))
        if self._parser.their_http_version == b"1.0" or not self._finished_reading():
            headers.append(("Connection", "close"))
        self._send(self._parser.send(h11.Response(status_code=status, headers=headers, reason=answers.reason(status))))

    def _finished_reading(self) -> bool:
        return self._body_over or self._parser.their_state is h11.DONE

    def write(self, data: bytes | memoryview) -> None:
        """One piece of the body, sent at once. ClientGone."""
        if data and self.head.method != "HEAD":
            for piece in self._parser.send_with_data_passthrough(h11.Data(data=data)) or ():  # type: ignore[arg-type]
                self._send(piece)

    def end(self) -> None:
        """The body is whole."""
        self._send(self._parser.send(h11.EndOfMessage()))

    def keep_alive(self) -> bytes | None:
        """What has been read of the next request; None where the connection is over with this one."""
        if self._out_of_http or not self.answered:
            return None
        if self._parser.our_state is not h11.DONE or not self._body_over:
            return None
        rest = bytes(self._parser.trailing_data[0])
        # Requests sent ahead of this one's answer: with more than fits a packet (wire.py) they are to be sent anew.
        return rest if len(rest) <= HEAD_LIMIT else None

    def drain(self) -> None:
        """Read a small rest of the body, so that the connection can go on. A client that waits for a 100 sends none."""
        if self._body_over or self._parser.they_are_waiting_for_100_continue:
            return
        left = _DRAINED_BYTES
        try:
            for piece in self.body():
                left -= len(piece)
                if left < 0:
                    return
        except (InvalidInput, ClientGone):
            pass

    # Beyond HTTP

    def hijack(self, kind: str, more: answers.Headers | None = None) -> bytes:
        """Leave HTTP: the socket carries `kind` from now on, both ways. What the client has sent of it already.

        Docker's clients ask for it by an Upgrade header, and then take a 101 only; those that do not, take a 200.
        """
        self.drain()
        early = bytes(self._parser.trailing_data[0])
        self.answered = self._out_of_http = True
        if self.head.upgrade:
            lines = ["HTTP/1.1 101 UPGRADED", "Connection: Upgrade", f"Upgrade: {self.head.upgrade}"]
        else:
            lines = ["HTTP/1.1 200 OK"]
        lines += [f"{name}: {value}" for name, value in (*versions.headers(), *(more or ()))]
        self._send("\r\n".join([*lines, f"Content-Type: {kind}", "", ""]).encode())
        self._wait_until_seen()
        return early

    def _wait_until_seen(self) -> None:
        """Let the client read the head by itself: docker-py loses what it reads together with it
        (docker-py#2042, #3332)."""
        deadline = time.monotonic() + _SEEN_S
        while time.monotonic() < deadline:
            if not struct.unpack("i", fcntl.ioctl(self.sock, _SIOCOUTQ, b"\0" * 4))[0]:
                return
            time.sleep(0.0005)

    def send_raw(self, data: bytes) -> None:
        """Bytes beyond HTTP. ClientGone."""
        self._send(data)

    def _send(self, data: bytes | memoryview | None) -> None:
        if not data:
            return
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, BlockingIOError):
            raise self._gone() from None

    # The client's going

    def bound_stalls(self, seconds: int) -> None:
        """From now on a client that neither sends nor takes anything for so long has gone; 0: it may take its time."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(seconds, 0))

    def _gone(self) -> ClientGone:
        """Told once: what it interrupts clears up after itself in peace."""
        self._told = True
        return ClientGone()

    def gone(self) -> bool:
        """Whether the client has hung up, both ways."""
        poller = select.poll()
        poller.register(self.sock, 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poller.poll(0))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While this is entered, a client that hangs up ends whatever is being waited for: ClientGone is raised there.

        By SIGIO of the socket (fcntl(2), O_ASYNC), which comes with everything that happens on it.
        """

        def look(_: int, __: Any) -> None:
            if not self._told and self.gone():
                raise self._gone()

        def look_again(number: int, frame: Any) -> None:
            self._told = False
            look(number, frame)

        before = signal.signal(signal.SIGIO, look)
        no_more = interrupts.raise_again(ClientGone, look_again)
        flags = fcntl.fcntl(self.sock, fcntl.F_GETFL)
        fcntl.fcntl(self.sock, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(self.sock, fcntl.F_SETFL, flags | os.O_ASYNC)
        try:
            if self.gone():
                raise self._gone()
            yield
        finally:
            fcntl.fcntl(self.sock, fcntl.F_SETFL, flags)
            signal.signal(signal.SIGIO, before)
            no_more()


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
