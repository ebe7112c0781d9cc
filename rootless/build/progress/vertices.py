"""A build's progress as events about vertices, BuildKit's word for the pieces of work that are shown.

Whoever shows them derives from `Progress`, which shows nothing: --progress=quiet. All methods are called in the
coordinator, one at a time, and return quickly; `tick` some ten times a second while there is nothing else.
"""

from __future__ import annotations

import time
from typing import NamedTuple

KEPT_LINES = 25
"""How many of a vertex's last lines are kept for the account of a failure."""
_LONGEST_LINE = 1000


class Status(NamedTuple):
    """A part of a vertex: `transferring context: 1.2MB 0.1s done`; `total` is 0 where it is not known, `current`
    None where nothing is counted."""

    name: str
    current: int | None = None
    total: int = 0
    done: bool = False


class Vertex:
    """One piece of work; `number` is given when it is first shown, 0 before."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        self.started = 0.0
        self.completed = 0.0
        self.cached = False
        self.error = ""
        self.last_lines: list[tuple[float, bytes]] = []  # with the seconds after its start

    def seconds(self, now: float | None = None) -> float:
        """Since its start, to its end where it has one."""
        return max(0.0, (self.completed or now or time.monotonic()) - self.started)


class Progress:
    """Takes all and shows nothing."""

    def start(self, vertex: Vertex) -> None:
        vertex.started = time.monotonic()

    def status(self, vertex: Vertex, status: Status) -> None:
        pass

    def log(self, vertex: Vertex, data: bytes, *, error: bool = False) -> None:
        """Output of its command, as it came: not whole lines."""
        seconds = vertex.seconds()
        first, *more = data.split(b"\n")
        kept = vertex.last_lines or [(seconds, b"")]
        began, line = kept[-1]
        kept[-1] = (began if line else seconds, (line + first)[:_LONGEST_LINE])
        vertex.last_lines = [*kept, *((seconds, line[:_LONGEST_LINE]) for line in more)][-KEPT_LINES:]

    def done(self, vertex: Vertex) -> None:
        vertex.completed = time.monotonic()

    def cached(self, vertex: Vertex) -> None:
        vertex.started = vertex.completed = time.monotonic()
        vertex.cached = True

    def failed(self, vertex: Vertex, message: str) -> None:
        vertex.completed = time.monotonic()
        vertex.error = message

    def warning(self, text: str) -> None:
        """One line about the build as a whole."""

    def tick(self) -> None:
        pass

    def close(self) -> None:
        """Nothing more comes; whatever was held back is shown."""
