"""--progress tty: what a plan does, drawn over and over in one place of the terminal, as docker compose draws it.

What a step itself says (a hook, a warning of the engine) comes by way of a file and is printed above the drawing, so that
neither spoils the other. A build draws its own: meanwhile nothing is drawn here.
"""

from __future__ import annotations

import os
import time

from rootless.cli.commands.compose.display import Display
from rootless.compose.converge.executor import ALONE, Report
from rootless.words import plain, plain_lines

_UP, _CLEAR = "\x1b[{}A", "\x1b[J"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_GREEN, _RED, _YELLOW, _BLUE = "32", "31", "33", "34"
_INTERVAL_S = 0.1


class _Line:
    def __init__(self, subject: str, now: float) -> None:
        self.subject, self.began = subject, now
        self.word = self.details = ""
        self.at_work: set[str] = set()  # keys of steps
        self.ended = now
        self.failed = self.warned = False


class Screen(Display):
    """A line for each network, volume, container and image of the plans so far."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self._lines: dict[str, _Line] = {}
        self._drawn = 0
        self._last = 0.0
        self._apart = False  # something else draws
        self._told_fd = os.memfd_create("told", os.MFD_CLOEXEC)
        self._told_bytes = 0
        self._signs = (_SPINNER, "✔", "✘") if "utf" in (self._stream.encoding or "").lower() else ("-\\|/", "v", "x")

    @property
    def stderr_fd(self) -> int:
        """Where a step's process has its stderr."""
        return self._told_fd

    def __call__(self, report: Report) -> None:
        """Draw it."""
        step, now = report.step, time.monotonic()
        line = self._lines.setdefault(step.subject, _Line(plain(step.subject), now))
        if not report.done and not line.at_work:
            line.began = now if not line.word else line.began
        (line.at_work.discard if report.done else line.at_work.add)(step.key)
        line.word, line.ended = report.word, now
        if report.error is not None:
            line.failed, line.warned = not step.optional, step.optional
            line.word = "Warning" if step.optional else "Error"
            line.details = plain(report.error.message)
        if step.action in ALONE:
            self._leave()
            self._apart = not report.done
        self._draw(at_once=True)

    def still(self, subject: str) -> None:
        """The clock of its line says so."""

    def tick(self) -> None:
        """Draw the time that has passed."""
        self._draw()

    def finish(self) -> None:
        """Draw all of it once more, and leave it there. What was called off is not at work any more."""
        for line in self._lines.values():
            if line.at_work:
                line.at_work.clear()
                line.word, line.warned = "Interrupted", True
        self._apart = False
        self._leave()

    def _leave(self) -> None:
        if self._lines:
            self._draw(at_once=True, whole=True)
        self._drawn = 0
        self._lines = {subject: line for subject, line in self._lines.items() if line.at_work}

    def _draw(self, *, at_once: bool = False, whole: bool = False) -> None:
        now = time.monotonic()
        if self._apart or not self._lines or (not at_once and now - self._last < _INTERVAL_S):
            return
        self._last = now
        columns, rows = self._window()
        lines = list(self._lines.values())
        done = sum(not line.at_work for line in lines)
        head = f"[+] Running {done}/{len(lines)}"
        if not whole and len(lines) > rows - 2:  # those that are done go first
            lines = sorted(lines, key=lambda line: not line.at_work)[: rows - 2]
        width = max(len(line.subject) for line in lines)
        shown = [head[: columns - 1], *(self._shown(line, now, width, columns) for line in lines)]
        self._write((_UP.format(self._drawn) if self._drawn else "") + "\r" + _CLEAR + self._told() + "\n".join(shown) + "\n")
        self._drawn = len(shown)

    def _told(self) -> str:
        """What steps have said since, to the end of its last line."""
        data = os.pread(self._told_fd, 1 << 20, self._told_bytes)
        if len(data) < 1 << 20 or b"\n" in data:  # else a line that has no end
            data = data[: data.rfind(b"\n") + 1]
        self._told_bytes += len(data)
        return plain_lines(data.decode(errors="replace"))

    def _window(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return max(20, size.columns or 80), max(5, size.lines or 24)

    def _shown(self, line: _Line, now: float, width: int, columns: int) -> str:
        spinner, tick, cross = self._signs
        if line.at_work:
            sign, colour = spinner[int(now * 10) % len(spinner)], _BLUE
        elif line.failed:
            sign, colour = cross, _RED
        else:
            sign, colour = ("!", _YELLOW) if line.warned else (tick, _GREEN)
        seconds = f"{(now if line.at_work else line.ended) - line.began:.1f}s"
        room = columns - len(seconds) - 2  # the last column is left: some terminals wrap there
        details = f" {line.details}" if line.details else ""
        left = f" {sign} {line.subject:<{width}}  {line.word:<9}{details}"
        left = f"{left[:room]:<{room}}"
        if not self._colours:
            return f"{left} {seconds}"
        painted = left.replace(line.word, f"\x1b[{colour}m{line.word}\x1b[0m", 1) if line.word not in line.subject else left
        return f"{painted.replace(sign, f'{chr(27)}[{colour}m{sign}{chr(27)}[0m', 1)} \x1b[{_BLUE}m{seconds}\x1b[0m"


def display(*, quiet: bool = False) -> Display:
    """What shows a plan's progress, as --progress, --ansi and the terminal have it."""
    shown = Display(quiet=quiet)
    return Screen() if shown.redraws() else shown
