"""What is wrong with a Dockerfile: BuildKit's words, the lines, and an excerpt that marks them."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.words import plain_lines

_CONTEXT_LINES = 2
"""Lines shown before and after those that are marked, as BuildKit's client shows them."""
_LONGEST_LINE = 500
_MOST_LINES = 40
"""An excerpt is for eyes: what a hostile file may make of it is bounded."""


class DockerfileError(InvalidInput):
    """An error with its place: `file`, `first` and `last` line (from 1; 0 where no line is to blame).

    What raises it knows the lines; the room's entry points (`parse`, `make_graph`, `plan_stage`) add the file
    by `locate`, so whoever catches it there can print `excerpt()`.
    """

    def __init__(self, message: str, *, first: int = 0, last: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.file = "Dockerfile"
        self.first = first
        self.last = max(first, last)
        self.lines: tuple[str, ...] = ()

    def locate(self, file: str, lines: tuple[str, ...]) -> DockerfileError:
        """Say of which text the line numbers are; the first to say it is right."""
        if not self.lines:
            self.file, self.lines = file, lines
        return self

    def excerpt(self) -> str:
        """The lines to blame, between their neighbours, marked `>>>`; empty where no line is to blame."""
        return excerpt(self.file, self.lines, self.first, self.last)


def excerpt(file: str, lines: tuple[str, ...], first: int, last: int) -> str:
    """`file:first`, a rule, the lines around `first`..`last` with those marked, a rule: as BuildKit prints it.

    Control characters are shown as what they are: a Dockerfile may come from anybody.
    """
    if not 0 < first <= len(lines):
        return ""
    last = max(first, min(last, len(lines)))
    numbers = range(max(1, first - _CONTEXT_LINES), min(len(lines), last + _CONTEXT_LINES) + 1)
    shown = [
        f"{number:4d} | {'>>>' if first <= number <= last else '   '} {plain_lines(lines[number - 1][:_LONGEST_LINE])}"
        for number in numbers[:_MOST_LINES]
    ]
    rule = "-" * 20
    return "\n".join((f"{file}:{first}", rule, *shown, rule)) + "\n"


__all__ = ["DockerfileError", "excerpt"]
