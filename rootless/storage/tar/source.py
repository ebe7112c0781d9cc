"""The bytes of a tar stream, read ahead and hashed in a thread, handed out without copying."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

from rootless.errors import Corrupt

BLOCK = 512
CHUNK = 1 << 19
_AHEAD = 8


class TarSource:
    """The bytes of `fileobj` (`read(n)`, or an iterator of bytes), read and hashed in a thread.

    The thread reads ahead by some chunks; both waiting for the source and hashing overlap with
    whatever the consumer does. Leave the context (or call `close`) to end it. `algorithm`: of the
    digest, "" where nobody will ask for one.
    """

    def __init__(self, fileobj: Any, *, algorithm: str = "sha256") -> None:
        self._hash = hashlib.new(algorithm) if algorithm else None
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_AHEAD)
        self._stopped = False
        self._chunk = memoryview(b"")
        self._position = 0
        self.total = 0  # bytes read, valid at the end
        self._thread = threading.Thread(target=self._fill, args=(fileobj,), name="unpack-reader", daemon=True)
        self._thread.start()

    def _fill(self, fileobj: Any) -> None:
        # Every error has to reach the consumer: it would wait for ever otherwise.
        try:
            if hasattr(fileobj, "read"):
                read = fileobj.read
                while not self._stopped and (data := read(CHUNK)):
                    self._put(data)
            else:
                for data in fileobj:
                    if self._stopped:
                        break
                    if data:
                        self._put(data)
            self._queue.put(b"")
        except BaseException as error:  # noqa: BLE001
            self._queue.put(error)

    def _put(self, data: bytes) -> None:
        self._queue.put(data)
        if self._hash is not None:
            self._hash.update(data)
        self.total += len(data)

    def _next(self) -> bool:
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        self._chunk = memoryview(item)
        self._position = 0
        return bool(item)

    def block(self) -> bytes:
        """The next 512 bytes, b"" at a clean end."""
        position = self._position
        data = self._chunk[position : position + BLOCK]
        if len(data) == BLOCK:
            self._position = position + BLOCK
            return data.tobytes()
        return self._exactly(BLOCK, empty_ok=True)

    def _exactly(self, size: int, *, empty_ok: bool = False) -> bytes:
        pieces = []
        missing = size
        while missing:
            if self._position >= len(self._chunk) and not self._next():
                if empty_ok and missing == size:
                    return b""
                raise Corrupt("the archive ends in the middle of an entry")
            piece = self._chunk[self._position : self._position + missing]
            self._position += len(piece)
            missing -= len(piece)
            pieces.append(piece.tobytes())
        return b"".join(pieces)

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes and the padding behind them."""
        data = self._exactly(size)
        self.skip(-size % BLOCK)
        return data

    def pieces(self, size: int) -> Iterator[memoryview]:
        """`size` bytes without copying; each piece is valid until the next is asked for."""
        while size:
            if self._position >= len(self._chunk) and not self._next():
                raise Corrupt("the archive ends in the middle of a file")
            piece = self._chunk[self._position : self._position + size]
            self._position += len(piece)
            size -= len(piece)
            yield piece

    def whole(self, size: int) -> memoryview | None:
        """`size` bytes with their padding if they are at hand in one piece; else None, nothing taken."""
        position = self._position
        end = position + size + (-size % BLOCK)
        if end > len(self._chunk):
            return None
        self._position = end
        return self._chunk[position : position + size]

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        for _ in self.pieces(size):
            pass

    def digest(self) -> str:
        """Read to the end; the hexadecimal digest of everything."""
        assert self._hash is not None, "made without an algorithm"
        while len(self._chunk):
            self._next()
        self._thread.join()
        return self._hash.hexdigest()

    def drain(self) -> None:
        """Read whatever is left, for the digest."""
        while self._next():
            pass

    def close(self) -> None:
        """Stop reading ahead; idempotent. Waits for a read that is under way."""
        self._stopped = True
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()
