"""The files of a container's log: rotated ones and the one that is written, and where its last lines begin.

Line format: `TIME STREAM P|F TEXT` (kubernetes CRI logging): P is a part of a line, whose rest follows in later
records of the same stream; records of the other may lie between. The files belong to the user and are
written by the monitor alone, but the text in them is the container's: bytes, never decoded. Hot path.
"""

from __future__ import annotations

import os

from rootless.engine.state.config import LOG_NAME
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK_BYTES = 1 << 16
RECORD_BYTES = 1 << 20
"""The monitor's records have 32 KiB; what is longer is nobody's record."""
LOOK_BACK_BYTES = 1 << 18
"""So far before the last lines asked for is looked for the beginning of the first of them."""


def path(directory: str) -> str:
    """The file that is written."""
    return os.path.join(directory, LOG_NAME)


def opened(path: str, last: BinaryIO | None = None) -> list[BinaryIO]:
    """The log's files that came after `last` (all, without), oldest first; the caller's to close.

    Opened from the newest on: a rotation meanwhile shows a file twice, and hides none.
    """
    found: list[BinaryIO] = []
    number = 0
    while True:
        try:
            file = open(f"{path}.{number}" if number else path, "rb")  # noqa: SIM115 - the caller's
        except FileNotFoundError:
            if number or last is not None or not os.path.exists(path + ".1"):
                return found[::-1]
            number = 1  # the newest is being replaced at this moment, or its disk is full
            continue
        number += 1
        if last is not None and os.path.sameopenfile(file.fileno(), last.fileno()):
            file.close()
            return found[::-1]
        if any(os.path.sameopenfile(file.fileno(), known.fileno()) for known in found):
            file.close()
        else:
            found.append(file)


def is_current(path: str, file: BinaryIO) -> bool:
    """Whether the open file is still the one that is written."""
    try:
        there, held = os.stat(path), os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)


def whole_records(file: BinaryIO) -> int:
    """The offset behind the last newline there is now."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - BLOCK_BYTES)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0


def forward(files: list[BinaryIO], ends: list[int], start: Start) -> Iterator[bytes]:
    """The records, with their newlines, from `start` to the `ends` of the files."""
    for index in range(start.file, len(files)):
        file, at = files[index], start.offset if index == start.file else 0
        file.seek(at)
        while at < ends[index]:
            raw = file.readline(RECORD_BYTES)
            if not raw:
                break
            at += len(raw)
            yield raw


def backward(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Offset and record (without its newline) of what is before `end`, the last first."""
    rest = b""  # of a record that begins before the block
    at = end
    while at > 0:
        begin = max(0, at - BLOCK_BYTES)
        file.seek(begin)
        pieces = (file.read(at - begin) + rest).split(b"\n")
        position = at + len(rest)
        for piece in reversed(pieces[1:-1]):
            position -= len(piece) + 1
            yield position, piece
        rest = pieces[0] + b"\n"
        at = begin
        if len(rest) > RECORD_BYTES:
            rest = b"\n"  # nobody's record
    if end > 0:
        yield 0, rest[:-1]


class Start(Record):
    """Where reading begins: in which file, at which offset, and how many lines that end there are too many."""

    file: int
    offset: int
    extra: int


def last_lines(files: list[BinaryIO], ends: list[int], tail: int | None, since: str) -> Start:
    """Where the last `tail` lines begin that are not older than `since` (a time as in the log; "" is any).

    Read from the end in blocks, so that it costs what is shown. Times are taken to go forward.
    """
    if tail == 0:
        return Start(max(0, len(files) - 1), ends[-1] if ends else 0, 0)
    lines = extra = passed = 0
    seen: set[bytes] = set()  # streams of which there is a later record
    begun: set[bytes] = set()  # streams whose first line to be shown may have parts further before
    earliest = since.encode()
    for index in range(len(files) - 1, -1, -1):
        for offset, raw in backward(files[index], ends[index]):
            behind = Start(index, offset + len(raw) + 1, extra)
            time, _, rest = raw.partition(b" ")
            stream, _, rest = rest.partition(b" ")
            if not rest:
                continue  # torn, or not ours
            if earliest and time < earliest:
                return behind
            if rest[:1] == b"F" or stream not in seen:
                # What has no end yet comes last of all, wherever it began.
                unfinished = rest[:1] != b"F"
                seen.add(stream)
                if tail is None or lines < tail or unfinished:
                    lines += 1
                    begun.add(stream)
                    continue
                begun.discard(stream)
                if not begun:
                    return behind
                extra += 1
            if tail is not None and lines >= tail:
                passed += len(raw)
                if passed > LOOK_BACK_BYTES:
                    return Start(index, offset, extra)
    return Start(0, 0, extra)
