"""Lines of several containers, each behind its container's name: `web-1  | text`, as Docker Compose prints them."""

from __future__ import annotations

import sys

from rootless.cli.commands.compose.display import has_colours
from rootless.compose.converge.log_stream import Target
from rootless.engine.lifecycle.attach.attach import write_all
from rootless.engine.state.logs.logs import Line
from rootless.words import plain

_COLOURS = ("36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1")


class LogPrinter:
    """Prints lines to stdout, and those of stderr there, too, as Docker Compose does. Bytes are written as they are."""

    def __init__(self, *, prefix: bool = True, colours: bool = True, timestamps: bool = False) -> None:
        self._prefix, self._timestamps = prefix, timestamps
        self._colours = colours and has_colours(sys.stdout)
        self._width = 0
        self._known: dict[str, str] = {}
        self._open: Target | None = None  # whose line has no end yet
        sys.stdout.flush()

    def know(self, targets: list[Target]) -> None:
        """Make room for the names of these."""
        self._width = max([self._width, *(len(target.shown) + 1 for target in targets if target.attached)])
        for target in targets:
            if target.attached and target.id not in self._known:
                self._known[target.id] = _COLOURS[len(self._known) % len(_COLOURS)]

    def __call__(self, target: Target, line: Line) -> None:
        """Print one line, or a part of a long one."""
        begun = b""
        if self._open is not None and (self._open.id != target.id or not line.continued):
            begun = b"\n"
        head = b"" if line.continued and not begun else self._head(target, line)
        write_all(1, begun + head + line.text)
        self._open = None if line.text.endswith(b"\n") else target

    def _head(self, target: Target, line: Line) -> bytes:
        text = ""
        if self._prefix:
            text = f"{plain(target.shown):<{self._width}} | "
            if self._colours:
                text = f"\x1b[{self._known.get(target.id, '0')}m{text}\x1b[0m"
        if self._timestamps:
            text += line.time + " "
        return text.encode()

    def say(self, target: Target, text: str) -> None:
        """A line of ours about a container, without a bar: `web-1 exited with code 0`."""
        self.finish()
        head = f"{plain(target.shown)} " if self._prefix else ""
        if self._colours and head:
            head = f"\x1b[{self._known.get(target.id, '0')}m{head}\x1b[0m"
        write_all(1, f"{head}{text}\n".encode())

    def finish(self) -> None:
        """End a line that has no end."""
        if self._open is not None:
            write_all(1, b"\n")
            self._open = None
