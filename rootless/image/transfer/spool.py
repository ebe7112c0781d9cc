"""A blob in the making: a file that one thread appends to while another reads it from the start.

The reader is the network's, and slower than the packer or quicker: neither waits for the other's pace, and what
was sent once can be sent again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from rootless.image.transfer import new_image

_BLOCK_BYTES = 256 << 10


class Abandoned(Exception):
    """The blob will not be finished, or is not wanted any more; only ever seen by the reader."""


class Spool:
    """`write`, then `end`; or `abandon`, at any time and by either."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False
        self.size = 0

    @property
    def ended(self) -> bool:
        """Whether all is written: `size` is the blob's now."""
        return self._ended

    def write(self, data: bytes) -> None:
        """Append; RootlessError where there is no room."""
        new_image.write_all(self._file, data)
        with self._changed:
            self.size += len(data)
            self._changed.notify_all()

    def end(self) -> None:
        """There is no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Whoever reads gets Abandoned."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def read(self) -> Iterator[bytes]:
        """All bytes from the start, as they come, to the end. Raises Abandoned."""
        with self._changed:
            if self._abandoned:
                raise Abandoned
            # Of our own: who abandons it closes the other.
            file = os.dup(self._file)
        try:
            yield from self._blocks(file)
        finally:
            os.close(file)

    def _blocks(self, file: int) -> Iterator[bytes]:
        position = 0
        while True:
            with self._changed:
                while self.size == position and not self._ended and not self._abandoned:
                    self._changed.wait()
                stop = self.size
            while position < stop and not self._abandoned:
                block = os.pread(file, min(_BLOCK_BYTES, stop - position), position)
                position += len(block)
                yield block
            if self._abandoned:
                raise Abandoned
            if self._ended and position == self.size:
                return
