"""How pulls and pushes look: a line for each layer with a bar, redrawn in place; plain lines where that cannot be.

Takes the events of image.progress. The block of bars never grows beyond the terminal: what does not
fit is summed up in its last line. Resizing is safe, since each redraw asks for the size again.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from rootless.cli.output.columns import plain, width
from rootless.cli.output.units import human_size
from rootless.image.progress import WORDS, Event, Phase, Progress, silent

_INTERVAL_S = 0.08
# What a line is worth where nothing can be redrawn.
_PLAIN = (
    Phase.DOWNLOADING, Phase.RETRYING, Phase.DONE, Phase.EXISTS,
    Phase.PREPARING, Phase.PUSHED, Phase.MOUNTED, Phase.PUSHED_BEFORE,
)  # fmt: skip
_OVER = (Phase.DONE, Phase.EXISTS, Phase.PUSHED, Phase.MOUNTED, Phase.PUSHED_BEFORE)
_COUNTED = (Phase.DOWNLOADING, Phase.UNPACKING, Phase.PACKING, Phase.PUSHING)
_WAITING = (Phase.WAITING, Phase.PREPARING)


def for_stream(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """Bars on a terminal, lines elsewhere, nothing with `quiet`; the caller calls `finish` at the end."""
    stream = stream or sys.stderr
    if quiet:
        return silent
    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Bars(stream)
    return Lines(stream)


def finish(progress: Progress) -> None:
    """Draw the last state; nothing for what keeps none."""
    if isinstance(progress, Bars):
        progress.draw(last=True)


class Lines:
    """A line for each layer when it begins and ends; for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.printed: dict[str, Phase] = {}

    def __call__(self, event: Event, /) -> None:
        if event.phase is Phase.MESSAGE or not event.subject:
            if event.text:
                print(_sentence(event), file=self.stream, flush=True)
            return
        if event.phase not in _PLAIN:
            return
        if self.printed.get(event.subject) is Phase.DONE:
            return  # a layer of several images in one archive
        if self.printed.get(event.subject) is event.phase and event.phase is not Phase.RETRYING:
            return
        self.printed[event.subject] = event.phase
        text = "Pulling fs layer" if event.phase is Phase.DOWNLOADING else WORDS[event.phase]
        reason = f"{' ' if event.phase is Phase.MOUNTED else ': '}{plain(event.text)}" if event.text else ""
        print(f"{plain(event.subject)}: {text}{reason}", file=self.stream, flush=True)


class Bars:
    """One line a layer, redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.layers: dict[str, Event] = {}
        self.drawn: list[str] = []
        self.due = 0.0

    def __call__(self, event: Event, /) -> None:
        if event.phase is Phase.MESSAGE or not event.subject:
            if event.text:
                self._clear()
                self.stream.write(_sentence(event) + "\n")
                self.draw()
            return
        before = self.layers.get(event.subject)
        self.layers[event.subject] = event
        if before is None or before.phase is not event.phase or time.monotonic() >= self.due:
            self.draw()

    def draw(self, *, last: bool = False) -> None:
        """Redraw the block; `last` shows every layer, however many there are."""
        self.due = time.monotonic() + _INTERVAL_S
        columns, rows = _size(self.stream)
        lines = [_line(event, columns) for event in self.layers.values()]
        room = max(1, rows - 2)
        if len(lines) > room and not last:
            lines = self._summed(columns, room)
        self._clear(flush=False)
        self.stream.write("".join(line + "\n" for line in lines))
        self.stream.flush()
        self.drawn = lines

    def _summed(self, columns: int, room: int) -> list[str]:
        """The layers being worked on, and one line for all others."""
        busy = [event for event in self.layers.values() if event.phase not in (*_OVER, *_WAITING)]
        shown = busy[: room - 1]
        done = sum(event.phase in _OVER for event in self.layers.values())
        lines = [_line(event, columns) for event in shown]
        return [*lines, f"{done} of {len(self.layers)} layers complete"[: columns - 1]]

    def _clear(self, *, flush: bool = True) -> None:
        """Go up over what was drawn, also where a narrower terminal has wrapped it since."""
        if self.drawn:
            columns, _ = _size(self.stream)
            rows = sum(max(1, -(-width(line) // columns)) for line in self.drawn)
            getattr(self.stream, "steer", self.stream.write)(f"\x1b[{rows}A\r\x1b[J")
            self.drawn = []
        if flush:
            self.stream.flush()


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows; a terminal that does not know is 80 by 24."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24


def _sentence(event: Event) -> str:
    """What an event of the whole operation says."""
    return f"Pulling {plain(event.text)}" if event.phase is Phase.RESOLVING else plain(event.text)


def _line(event: Event, columns: int) -> str:
    """`a2abf6c4d29d: Downloading [====>    ] 12.3MB/50.1MB`, never wider than the terminal."""
    text = f"{plain(event.subject)}: {WORDS.get(event.phase, str(event.phase))}"
    if event.phase is Phase.RETRYING and event.text:
        text += f" ({plain(event.text)})"
    if event.phase is Phase.MOUNTED:
        text += f" {plain(event.text)}"
    if event.phase in _COUNTED and event.done_bytes:
        counts = human_size(event.done_bytes)
        if event.total_bytes:
            counts += f"/{human_size(event.total_bytes)}"
            room = min(50, columns - 1 - width(text) - len(counts) - 4)
            if room >= 8:
                filled = min(room, room * event.done_bytes // event.total_bytes)
                head = ">" if filled < room else ""
                text += f" [{('=' * filled + head):<{room}.{room}}]"
        text += f" {counts}"
    return text[: max(1, columns - 1)]
