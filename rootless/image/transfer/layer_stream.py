"""One layer on its way: from the network or the store to a stream of tar, verified as it passes.

Runs in a worker process (see layers.py) with one thread of its own: that thread fetches,
verifies and stores while the caller inflates and unpacks. The end of the stream is only ever
seen after the compressed digest was found right: whoever reads to the end has a whole layer.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from rootless.errors import Conflict, Corrupt, NotFound, RootlessError
from rootless.image.manifest import Descriptor
from rootless.image.registry import responses
from rootless.image.registry.client import Registry
from rootless.image.registry.responses import Transient
from rootless.storage import blobs
from rootless.storage.store import Store

_QUEUE_LENGTH = 32
_BLOCK_BYTES = 256 << 10
# Progress worth a fresh count of attempts: a server that drips must not keep us for ever.
_PROGRESS_BYTES = 1 << 20

Report = Callable[[str, int, str], None]


class Aborted(Exception):
    """The reader has gone; only ever seen by the fetching thread."""


class LayerStream:
    """The compressed bytes of one blob, in order. A context manager; `read` as inflate.Source."""

    def __init__(self, store: Store, registry: Registry | None, layer: Descriptor, report: Report) -> None:
        self._store = store
        self._registry = registry
        self._layer = layer
        self._report = report
        self._name = f"layer {layer.digest[7:19]}"
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_QUEUE_LENGTH)
        self._passed = 0
        self._rest = b""
        self._ended = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self.resumed = False

    def __enter__(self) -> LayerStream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        while self._thread.is_alive():
            # Make room for a thread that waits to put something.
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                pass
        self._thread.join()

    def read(self, size: int, /) -> bytes:
        """The next bytes; b"" after the last, which means that the digest was right."""
        if not self._rest:
            if self._ended:
                return b""
            item = self._queue.get()
            if item is None:
                self._ended = True
                return b""
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            self._rest = item
        if len(self._rest) <= size:
            data, self._rest = self._rest, b""
        else:
            data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _run(self) -> None:
        try:
            while not self._obtain():
                pass
        except Aborted:
            return
        except (RootlessError, OSError, ValueError) as error:
            self._put_end(error)
        else:
            self._put_end(None)

    def _put_end(self, end: BaseException | None) -> None:
        try:
            self._put(end)
        except Aborted:
            pass

    def _put(self, item: bytes | BaseException | None) -> None:
        while True:
            if self._closed.is_set():
                raise Aborted
            try:
                return self._queue.put(item, timeout=1)
            except queue.Full:
                continue

    def _pass(self, data: bytes, offset: int) -> None:
        """Hand on what lies beyond the bytes handed on before."""
        end = offset + len(data)
        if end > self._passed:
            self._put(data if offset == self._passed else data[self._passed - offset :])
            self._passed = end

    def _obtain(self) -> bool:
        """Pass on the whole blob, from the store or by download; False: somebody else was at it, look again."""
        if blobs.has(self._store, self._layer.digest, self._layer.size):
            for offset, block in _blocks(blobs.path(self._store, self._layer.digest)):
                self._pass(block, offset)
            return True
        if self._registry is None:
            raise NotFound(
                f"blob {self._layer.digest} is not in the store", hint="pull or load the image again"
            )
        try:
            writer = blobs.writer(self._store, self._layer.digest, self._layer.size)
        except Conflict:
            self._report("waiting", 0, "another command downloads it")
            blobs.wait(self._store, self._layer.digest)
            return False
        with writer:
            if writer.offset:
                self.resumed = True
                for offset, block in _blocks(blobs.partial_path(self._store, self._layer.digest)):
                    self._pass(block, offset)
            self._download(writer, self._registry)
            writer.commit()
        self._report("unpacking", self._layer.size, "")
        return True

    def _download(self, writer: blobs.Writer, registry: Registry) -> None:
        attempt, start = 0, writer.offset
        while writer.offset < self._layer.size:
            try:
                self._download_once(writer, registry)
            except Transient as transient:
                if writer.offset - start >= _PROGRESS_BYTES:
                    attempt, start = 0, writer.offset
                attempt += 1
                if attempt == responses.ATTEMPTS:
                    error = transient.error
                    message = f"{self._name}: {error.message}"
                    raise type(error)(
                        message, hint=error.hint or "what was fetched is kept: try again"
                    ) from None
                pause_s = responses.delay_s(attempt - 1, transient)
                self._report("retrying", writer.offset, f"{transient} (in {pause_s:.0f} s)")
                if self._closed.wait(pause_s):
                    raise Aborted from None

    def _download_once(self, writer: blobs.Writer, registry: Registry) -> None:
        blob = registry.blob(self._layer.digest, offset=writer.offset)
        try:
            if blob.offset == 0 and writer.offset:
                writer.restart()
            for chunk in blob.chunks:
                offset = writer.offset
                writer.write(chunk)
                self._pass(chunk, offset)
                self._report("downloading", writer.offset, "")
        finally:
            blob.response.close()
        if writer.offset < self._layer.size:
            missing = f"{writer.offset} of {self._layer.size} bytes came"
            raise Transient(Corrupt(f"truncated: {missing}"))


def _blocks(path: str) -> Iterator[tuple[int, bytes]]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset = 0
        while block := os.read(descriptor, _BLOCK_BYTES):
            yield offset, block
            offset += len(block)
    finally:
        os.close(descriptor)


class Throttled:
    """Passes reports on, but those of mere progress at most ten times a second."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = ("", 0.0)

    def __call__(self, phase: str, done_bytes: int, text: str) -> None:
        now = time.monotonic()
        if phase == self._last[0] and not text and now - self._last[1] < 0.1:
            return
        self._last = (phase, now)
        self._report(phase, done_bytes, text)
