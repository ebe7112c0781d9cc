"""Bodies that are archives, as files for the engine: read as they come, sent as they are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from rootless.api.routes.route import Call
from rootless.errors import Corrupt, InvalidInput

TAR = "application/x-tar"
_BLOCK = 64 * 1024


class ChunkedOut(io.RawIOBase):
    """A file to write that is an answer's body, sent as it is written."""

    def __init__(self, call: Call) -> None:
        self._exchange = call.exchange

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._exchange.write(view)
        return len(view)


class BodyIn(io.RawIOBase):
    """A file to read that is a request's body."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def output(call: Call) -> IO[bytes]:
    """The answer's body as a file with a buffer of one chunk; to be flushed at the end."""
    return cast(IO[bytes], io.BufferedWriter(ChunkedOut(call), _BLOCK))


@contextmanager
def clients() -> Iterator[None]:
    """While a request's body is taken apart: what is damaged is the client's, 400, and not the store's, 500."""
    try:
        yield
    except Corrupt as error:
        raise InvalidInput(error.message, hint=error.hint) from None


def body(call: Call) -> IO[bytes]:
    """The request's body as a file."""
    return cast(IO[bytes], io.BufferedReader(BodyIn(call.exchange.body()), _BLOCK))
