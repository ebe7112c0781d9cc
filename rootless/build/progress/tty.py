"""--progress=tty: a terminal's view, drawn again and again: a line for each vertex, the last output of those at work.

What does not fit into the window is left out from the top: finished vertices first. At the end everything
is drawn once more, whole.
"""

from __future__ import annotations

import os
import time
from typing import IO

from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.words import plain

_INTERVAL_S = 0.1
_OUTPUT_LINES = 6
_UP, _CLEAR = "\x1b[{}A", "\x1b[J"
_BLUE, _RED, _OFF = "\x1b[34m", "\x1b[31m", "\x1b[0m"


class Terminal(Progress):
    """`colors` False: as NO_COLOR asks."""

    def __init__(self, out: IO[bytes], fd: int, *, colors: bool) -> None:
        self._out = out
        self._fd = fd
        self._colors = colors
        self._began = time.monotonic()
        self._vertices: list[Vertex] = []
        self._statuses: dict[Vertex, dict[str, Status]] = {}
        self._drawn = 0
        self._last = 0.0
        self._warnings: list[str] = []

    def start(self, vertex: Vertex) -> None:
        super().start(vertex)
        self._vertices.append(vertex)
        self._draw()

    def status(self, vertex: Vertex, status: Status) -> None:
        self._statuses.setdefault(vertex, {})[status.name] = status
        self._draw()

    def log(self, vertex: Vertex, data: bytes, *, error: bool = False) -> None:
        super().log(vertex, data, error=error)
        self._draw()

    def done(self, vertex: Vertex) -> None:
        super().done(vertex)
        self._draw()

    def cached(self, vertex: Vertex) -> None:
        super().cached(vertex)
        if vertex not in self._vertices:
            self._vertices.append(vertex)
        self._draw()

    def failed(self, vertex: Vertex, message: str) -> None:
        super().failed(vertex, message)
        if vertex not in self._vertices:
            self._vertices.append(vertex)
        self._draw()

    def warning(self, text: str) -> None:
        self._warnings.append(text)

    def tick(self) -> None:
        self._draw()

    def close(self) -> None:
        self._draw(whole=True)
        lines = [plain(line) for text in self._warnings for line in ("", *text.split("\n"))]
        self._out.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        self._out.flush()

    def _draw(self, *, whole: bool = False) -> None:
        now = time.monotonic()
        if not whole and now - self._last < _INTERVAL_S:
            return
        self._last = now
        columns, rows = self._window()
        lines = [line for vertex in self._vertices for line in self._lines(vertex, columns, whole=whole)]
        finished = sum(1 for vertex in self._vertices if vertex.completed)
        head = f"[+] Building {now - self._began:.1f}s ({finished}/{len(self._vertices)})"
        if finished == len(self._vertices) and whole:
            head += " FINISHED"
        if not whole and len(lines) > rows - 2:
            lines = lines[-(rows - 2) :]
        text = (_UP.format(self._drawn) if self._drawn else "") + "\r" + _CLEAR
        text += "\n".join([head[:columns], *lines]) + "\n"
        self._out.write(text.encode("utf-8", "replace"))
        self._out.flush()
        self._drawn = len(lines) + 1

    def _window(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return 80, 24
        return max(20, size.columns or 80), max(5, size.lines or 24)

    def _lines(self, vertex: Vertex, columns: int, *, whole: bool) -> list[str]:
        state = "CACHED " if vertex.cached else "CANCELED " if vertex.error == "CANCELED" else "ERROR " if vertex.error else ""
        found = [self._line(f" => {state}{plain(vertex.name)}", vertex.seconds(), columns, vertex)]
        if vertex.completed and not vertex.error:
            return found
        for status in self._statuses.get(vertex, {}).values():
            amount = f" {status.current or 0} / {status.total}" if status.total else ""
            found.append(f" => => {plain(status.name)}{amount}"[:columns])
        if not whole:
            shown = [plain(line.decode("utf-8", "replace")) for _, line in vertex.last_lines if line.strip()]
            found += [f" => => # {line}"[:columns] for line in shown[-_OUTPUT_LINES:]]
        return found

    def _line(self, text: str, seconds: float, columns: int, vertex: Vertex) -> str:
        right = f"{seconds:.1f}s"
        room = columns - len(right) - 1
        line = f"{text[:room]:<{room}} {right}"
        if not self._colors or not (vertex.completed or vertex.error):
            return line
        return f"{_RED if vertex.error else _BLUE}{line}{_OFF}"
