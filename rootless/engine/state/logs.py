"""`logs`: the CRI log that the monitor writes, read back: tail, since, follow, across rotations.

Line format: `TIME STREAM P|F TEXT` (kubernetes CRI logging). The files belong to the user and are
written by the monitor alone, but the text in them is the container's: bytes, never decoded.
"""

from __future__ import annotations

import os
import select
import time

from rootless.engine.state.record import LOG_NAME as LOG_NAME
from rootless.engine.words.clock import to_nanoseconds
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

_POLL_S = 0.05


class Line(Record):
    """One line, or a partial one (no newline at its end); `text` includes its newline."""

    time: str
    stream: str
    text: bytes


def _rotated_files(directory: str, *, current: int | None) -> list[str]:
    """The log's rotated files, oldest first, without the one that is open as `current`."""
    base = os.path.join(directory, LOG_NAME)
    found = []
    number = 1
    while os.path.exists(f"{base}.{number}"):
        found.append(f"{base}.{number}")
        number += 1
    if current is not None:
        found = [path for path in found if not _same_file(path, current)]
    return found[::-1]


def parse(raw: bytes) -> Line | None:
    """The line that `raw` (with its newline) holds; None for what is torn or not ours."""
    fields = raw.split(b" ", 3)
    if len(fields) < 4 or not raw.endswith(b"\n"):
        return None
    text = fields[3]
    whole = text if fields[2] == b"F" else text[:-1]
    return Line(fields[0].decode("ascii", "replace"), fields[1].decode("ascii", "replace"), whole)


def read(directory: str) -> Iterator[Line]:
    """All lines kept, oldest first."""
    file = _open(os.path.join(directory, LOG_NAME))
    yield from _read_until(directory, file, None)
    if file:
        file.close()


def _read_until(directory: str, current: BinaryIO | None, end: int | None) -> Iterator[Line]:
    """The rotated files' lines, then those of the open file up to the offset `end`."""
    for path in _rotated_files(directory, current=current.fileno() if current else None):
        rotated = _open(path)
        if rotated:
            with rotated:
                yield from (line for raw in rotated if (line := parse(raw)))
    for raw in current or ():
        line = parse(raw)
        if line is not None:
            yield line
        if end is not None and current and current.tell() >= end:
            return


def select_lines(
    lines: Iterable[Line], *, tail: int | None = None, since: int | None = None, until: int | None = None
) -> Iterator[Line]:
    """The lines of a time window (nanoseconds after the epoch), the last `tail` of them."""
    inside = (line for line in lines if _inside(line, since, until))
    if tail is None:
        return inside
    from collections import deque

    return iter(deque(inside, maxlen=tail))


def _inside(line: Line, since: int | None, until: int | None) -> bool:
    if since is None and until is None:
        return True
    moment = to_nanoseconds(line.time)
    return (since is None or moment >= since) and (until is None or moment <= until)


def follow(
    directory: str,
    monitor: int | None,
    *,
    tail: int | None,
    since: int | None,
    until: int | None,
    successor: Callable[[], int | None] = lambda: None,
) -> Iterator[Line]:
    """The selected lines, then new ones until the monitor (a pidfd, or None) ends, and those after it
    that `successor` names: a restart policy's.

    Rotation is noticed by the inode changing: the old file is read to its end first.
    """
    path = os.path.join(directory, LOG_NAME)
    file = _open(path)
    start = _whole_lines(file) if file else 0
    if start or not file:
        yield from select_lines(_read_until(directory, file, start), tail=tail, since=since, until=until)
    elif tail != 0:
        yield from select_lines(_read_until(directory, None, None), tail=tail, since=since, until=until)
    if file:
        file.seek(start)
    files = [file] if file else []  # the one being read, and those that came after it
    pending = b""
    own: list[int] = []  # the first monitor's descriptor is the caller's
    while until is None or time.time_ns() <= until:
        # Asked before reading: what is there after the monitor's end is all there will be.
        ended = monitor is None or bool(select.select([monitor], [], [], 0)[0])
        fresh = files[0].read() if files else b""
        if fresh:
            *whole, pending = (pending + fresh).split(b"\n")
            found = (parse(raw + b"\n") for raw in whole)
            yield from (line for line in found if line and _inside(line, since, until))
            continue
        if len(files) > 1:
            # Read once more since it was rotated: nobody writes to it any longer.
            files.pop(0).close()
            pending = b""
            continue
        if not files or not _same_file(path, files[0].fileno()):
            later = _successors(path, files[0] if files else None)
            files += later
            if later:
                continue
        if ended:
            if own:
                os.close(own.pop())
            monitor = successor()
            if monitor is None:
                break
            own.append(monitor)
        time.sleep(_POLL_S)
    for left in files:
        left.close()


def _successors(path: str, last: BinaryIO | None) -> list[BinaryIO]:
    """The files that came after `last`, oldest first, however many rotations ago that was.

    Opened from the newest on: a rotation meanwhile shows a file twice, and hides none.
    """
    found: list[BinaryIO] = []
    number = 0
    while True:
        file = _open(f"{path}.{number}" if number else path)
        number += 1
        if file is None:
            return found[::-1]
        if last is not None and os.path.sameopenfile(file.fileno(), last.fileno()):
            file.close()
            return found[::-1]
        if any(os.path.sameopenfile(file.fileno(), known.fileno()) for known in found):
            file.close()
        else:
            found.append(file)


def _open(path: str) -> BinaryIO | None:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return None  # rotated away, or never any output


def _whole_lines(file: BinaryIO) -> int:
    """The offset behind the last newline there is now; the position is left at the start."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - 65536)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    file.seek(0)
    return end


def _same_file(path: str, fd: int) -> bool:
    try:
        there, held = os.stat(path), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)
