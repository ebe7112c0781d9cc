"""`logs`: the log that the monitor writes (files.py), read back as lines: tail, since; follow.py goes on from there.

A line that came in parts is one line again, as Docker has it, with the time of its end; its parts stay
apart only where it is very long, or where a follower waits for what there is of it. Hot path.
"""

from __future__ import annotations

from rootless.engine.options.clock import from_nanoseconds
from rootless.engine.state.config import LOG_NAME as LOG_NAME
from rootless.engine.state.logs import files as log_files
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LONGEST_LINE_BYTES = 1 << 20
"""Of a longer line the parts are given as they come; more than log_files.LOOK_BACK_BYTES."""
_LATEST_NS = 253_402_300_799 * 10**9  # the year 9999


class Line(Record):
    """One line with its newline, or a part of one; `continued` where the part before it was given already."""

    time: str
    stream: str
    text: bytes
    continued: bool = False


def parse(raw: bytes) -> Line | None:
    """The record that `raw` (with its newline) holds; None for what is torn or not ours."""
    fields = raw.split(b" ", 3)
    if len(fields) < 4 or not raw.endswith(b"\n"):
        return None
    text = fields[3]
    whole = text if fields[2] == b"F" else text[:-1]
    return Line(fields[0].decode("ascii", "replace"), fields[1].decode("ascii", "replace"), whole)


class Joiner:
    """Makes lines of records."""

    def __init__(self) -> None:
        # One buffer a stream: a line may come in as many parts as it has bytes.
        self._held: dict[str, bytearray] = {}
        self._time: dict[str, str] = {}
        self._given: set[str] = set()  # streams of whose present line something was given

    def add(self, record: Line) -> Line | None:
        """The line that `record` completes."""
        stream = record.stream
        if record.text.endswith(b"\n"):
            if stream not in self._held and stream not in self._given:
                return record
            return self._give(stream, record.time, self._held.pop(stream, b""), record.text)
        held = self._held.setdefault(stream, bytearray())
        held += record.text
        self._time[stream] = record.time
        if len(held) >= LONGEST_LINE_BYTES:
            return self._give(stream, record.time, self._held.pop(stream), b"")
        return None

    def flush(self) -> list[Line]:
        """What there is of lines that have no end yet."""
        held, self._held = self._held, {}
        return [self._give(stream, self._time[stream], begun, b"") for stream, begun in held.items()]

    def _give(self, stream: str, moment: str, held: bytes | bytearray, end: bytes) -> Line:
        line = Line(moment, stream, bytes(held) + end, stream in self._given)
        if end:
            self._given.discard(stream)
        else:
            self._given.add(stream)
        return line


class Window(Record):
    """Which lines: the last `tail` (None: all), of a time window (as in the log; "": open)."""

    tail: int | None = None
    since: str = ""
    until: str = ""

    def holds(self, line: Line) -> bool:
        """Whether the line is of the time window; the log's times are all of one form, so texts compare."""
        return (not self.since or line.time >= self.since) and (not self.until or line.time <= self.until)


def window(*, tail: int | None = None, since: int | None = None, until: int | None = None) -> Window:
    """A Window; times in nanoseconds after the epoch."""

    def text(moment: int | None) -> str:
        return "" if moment is None else from_nanoseconds(max(0, min(moment, _LATEST_NS)))

    return Window(tail, text(since), text(until))


def read(directory: str, wanted: Window) -> Iterator[Line]:
    """The lines wanted, oldest first."""
    files = log_files.opened(log_files.path(directory))
    try:
        joiner = Joiner()
        yield from selected(files, [log_files.whole_records(file) for file in files], wanted, joiner)
        yield from filter(wanted.holds, joiner.flush())
    finally:
        for file in files:
            file.close()


def selected(files: list[BinaryIO], ends: list[int], wanted: Window, joiner: Joiner) -> Iterator[Line]:
    """The lines wanted up to the `ends`; what has begun and not ended there stays in the joiner."""
    tail = wanted.tail
    if tail is not None and wanted.until:
        # The last lines before a moment: how many come after it is known at its end only.
        other = Joiner()
        every = selected(files, ends, wanted._replace(tail=None), other)
        count = sum(line.text.endswith(b"\n") for line in every) + len([*filter(wanted.holds, other.flush())])
        start, skip = log_files.last_lines(files, ends, None, wanted.since), max(0, count - tail)
    else:
        start = log_files.last_lines(files, ends, tail, wanted.since)
        skip = start.extra
    for raw in log_files.forward(files, ends, start):
        record = parse(raw)
        line = None if record is None else joiner.add(record)
        if line is None or not wanted.holds(line):
            continue
        if skip:
            skip -= line.text.endswith(b"\n")
            continue
        yield line
