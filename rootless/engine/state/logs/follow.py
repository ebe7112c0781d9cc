"""`logs --follow`: the lines that are there, then each new one until the container has ended."""

from __future__ import annotations

import os
import select
import time

from rootless.engine.options.clock import from_nanoseconds
from rootless.engine.state.logs import files as log_files
from rootless.engine.state.logs.logs import Joiner, Line, Window, parse, selected
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_POLL_S = 0.05


class LogFollower:
    """One reading of a container's log, as a context manager that closes its files and its monitor's pidfd.

    `monitor` opens a pidfd of the monitor, which the follower then owns, or returns None where none runs. It is
    asked once at the beginning, and again after each monitor's end: a restart policy may have started another.
    """

    def __init__(self, directory: str, wanted: Window, monitor: Callable[[], int | None]) -> None:
        self._path = log_files.path(directory)
        self._wanted = wanted
        self._open_monitor = monitor
        self._monitor: int | None = None
        self._files: list[BinaryIO] = []  # oldest first; the last is the one that is written, or was a moment ago
        self._joiner = Joiner()
        self.ended = False
        self._pending = b""  # the beginning of a record whose end is not written yet

    def __enter__(self) -> LogFollower:
        self._files = log_files.opened(self._path)
        try:
            self._monitor = self._open_monitor()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open. Idempotent."""
        if self._monitor is not None:
            os.close(self._monitor)
            self._monitor = None
        while self._files:
            self._files.pop().close()

    def backlog(self) -> Iterator[Line]:
        """The lines that are there already. To be taken first, and once."""
        ends = [log_files.whole_records(file) for file in self._files]
        yield from selected(self._files, ends, self._wanted, self._joiner)
        if self._files:
            self._files[-1].seek(ends[-1])
        while len(self._files) > 1:
            self._files.pop(0).close()

    def fresh(self) -> Iterator[Line]:
        """The lines that have come since, without waiting; sets `ended` where there will be no more."""
        while not self.ended:
            over = self._monitor is None or bool(select.select([self._monitor], [], [], 0)[0])
            found = self.next_lines()
            if found is not None:
                yield from found
            elif not self.rotate():
                if not over:
                    return
                yield from self._begun()
                self.ended = not self.next_monitor()

    @property
    def monitor(self) -> int | None:
        """The pidfd of the monitor that writes the log now: readable when it has ended."""
        return self._monitor

    def lines(self) -> Iterator[Line]:
        """The lines wanted, until the last monitor has ended or the time window is over."""
        yield from self.backlog()
        while not self._wanted.until or from_nanoseconds(time.time_ns()) <= self._wanted.until:
            # Asked before reading: what is there after the monitor's end is all there will be.
            ended = self._monitor is None or bool(select.select([self._monitor], [], [], 0)[0])
            fresh = self.next_lines()
            if fresh is not None:
                yield from fresh
            elif not self.rotate():
                yield from self._begun()
                if ended and not self.next_monitor():
                    return
                time.sleep(_POLL_S)
        yield from self._begun()

    def next_lines(self) -> list[Line] | None:
        """The lines of the next block of the file; None at its end."""
        block = self._files[0].read(log_files.BLOCK_BYTES) if self._files else b""
        if not block:
            return None
        *whole, self._pending = (self._pending + block).split(b"\n")
        found = []
        for raw in whole:
            record = parse(raw + b"\n")
            line = None if record is None else self._joiner.add(record)
            if line is not None and self._wanted.holds(line):
                found.append(line)
        return found

    def rotate(self) -> bool:
        """Go on to the files that came after the one read; False where that one is still written.

        A rotation shows by the inode. The caller then reads the old file once more: it may have grown since.
        """
        if len(self._files) > 1:
            self._files.pop(0).close()
            self._pending = b""
            return True
        if self._files and log_files.is_current(self._path, self._files[0]):
            return False
        later = log_files.opened(self._path, self._files[0] if self._files else None)
        self._files += later
        return bool(later)

    def next_monitor(self) -> bool:
        """Take the monitor that came after the one that has ended; False where there is none."""
        if self._monitor is not None:
            os.close(self._monitor)
            self._monitor = None
        self._monitor = self._open_monitor()
        return self._monitor is not None

    def _begun(self) -> Iterator[Line]:
        """What there is of lines without an end: a prompt has no newline, and the reader waits for it."""
        return filter(self._wanted.holds, self._joiner.flush())
