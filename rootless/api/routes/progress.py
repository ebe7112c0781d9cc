"""Progress as Docker streams it: a line of JSON for each step, and an error as the last line.

The answer begins with the first line: what fails before is a status, which is what clients look at.
"""

from __future__ import annotations

from typing import Any

from rootless.api.answer import errors
from rootless.api.http import answers
from rootless.api.routes.route import Call, encoded
from rootless.errors import RootlessError
from rootless.image.progress import WORDS, Event, Phase


class ProgressStream:
    """The lines of one pull, push, load or build; an Event of the engine's is one, too."""

    def __init__(self, call: Call, *, quiet: bool = False) -> None:
        self._exchange = call.exchange
        self._quiet = quiet
        self._begun = False
        self._first: list[dict[str, Any]] = []

    def hold(self, line: dict[str, Any]) -> None:
        """A line that stands above the first one, and by itself begins nothing."""
        self._first.append(line)

    def line(self, line: dict[str, Any]) -> None:
        """Send a line. ClientGone."""
        if not self._begun:
            self._begun = True
            self._exchange.begin(answers.JSON)
            for each in self._first:
                self._exchange.write(encoded(each))
        self._exchange.write(encoded(line))

    def __call__(self, event: Event, /) -> None:
        if self._quiet or event.phase is Phase.RESOLVING:
            return
        if event.phase is Phase.MESSAGE or not event.subject:
            if event.text:
                self.line({"status": event.text})
            return
        amounts = {"current": event.done_bytes, "total": event.total_bytes} if event.total_bytes else {}
        words = f"{WORDS[event.phase]} {event.text}" if event.phase is Phase.MOUNTED else WORDS[event.phase]
        self.line({"status": words, "progressDetail": amounts, "id": event.subject})

    def fail(self, error: RootlessError) -> None:
        """The last line, where the answer has begun; else the error is raised, and becomes a status."""
        if not self._begun:
            raise error
        text = errors.message(error)
        self.line({"errorDetail": {"message": text}, "error": text})
        self._exchange.end()

    def end(self) -> None:
        """All is said."""
        if not self._begun:
            self._begun = True
            self._exchange.begin(answers.JSON)
            for each in self._first:
                self._exchange.write(encoded(each))
        self._exchange.end()
