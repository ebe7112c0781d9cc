"""What is shown while a plan runs, on stderr: a line for each step's beginning and end, as --progress says; screen.py draws them."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from rootless.cli.flags import compose
from rootless.compose.converge.executor import Report
from rootless.compose.load.project import is_true
from rootless.words import plain

_COLOURS = {"Error": "31", "Warning": "33"}


def form() -> str:
    """auto, tty, plain, json or quiet: of --progress, else COMPOSE_PROGRESS."""
    return str(compose.given().progress or os.environ.get("COMPOSE_PROGRESS") or "auto")


def _ansi() -> str:
    """never, always or auto: of --no-ansi and --ansi, else COMPOSE_ANSI."""
    return "never" if compose.given().no_ansi else str(compose.given().ansi or os.environ.get("COMPOSE_ANSI") or "auto")


def has_colours(stream: TextIO) -> bool:
    """Whether the stream gets colours: --ansi, COMPOSE_ANSI, NO_COLOR, and whether it is a terminal."""
    word = _ansi()
    if word in ("never", "always"):
        return word == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR")


class Display:
    """Receives reports; `quiet` shows failures alone."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._form = "quiet" if quiet else form()
        self._stream = sys.stdout if is_true(os.environ.get("COMPOSE_STATUS_STDOUT")) else sys.stderr
        self._colours = has_colours(self._stream)

    @property
    def stderr_fd(self) -> int:
        """Where a step's process has its stderr; -1: where it is."""
        return -1

    def redraws(self) -> bool:
        """Whether a terminal is there that is to be drawn on: --progress tty, or auto where lines may be drawn over."""
        if self._form == "tty":
            return True
        drawable = self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return self._form == "auto" and drawable and _ansi() != "never"

    def tick(self) -> None:
        """A tenth of a second has passed, where `stderr_fd` is one."""

    def finish(self) -> None:
        """The plan is done, or has failed."""

    def __call__(self, report: Report) -> None:
        """Show it."""
        if self._form == "quiet":
            return
        subject = plain(report.step.subject)
        word = report.word
        if report.step.optional and report.error is not None:
            word = "Warning"
        details = "" if report.error is None else plain(report.error.message)
        if self._form == "json":
            status = "Error" if report.error else "Done" if report.done else "Working"
            line = json.dumps({"id": subject, "status": status, "text": word, **({"details": details} if details else {})})
        else:
            code = _COLOURS.get(word, "32" if report.done else "")
            shown = f"\x1b[{code}m{word}\x1b[0m" if self._colours and code else word
            line = f" {subject}  {shown}" + (f" {details}" if details and word == "Warning" else "")
        self._write(line + "\n")

    def still(self, subject: str) -> None:
        """Somebody still waits for it."""
        if self._form not in ("quiet", "json"):
            self._write(f" {plain(subject)}  Waiting\n")

    def _write(self, text: str) -> None:
        """Text of ours, with what steers a terminal; what others say in it is plain."""
        getattr(self._stream, "steer", self._stream.write)(text)
        self._stream.flush()
