"""Pull progress: bars in a terminal of any size, lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from rootless.cli.output import progress
from rootless.cli.output.progress import Bars, Lines, for_stream
from rootless.image.progress import Event, Phase, silent


class Screen:
    """The master of a real pty, and a stream on its other side."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.stream: TextIO = os.fdopen(slave, "w")

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self) -> str:
        """All that was written since; the terminal may hand it over in parts."""
        self.stream.flush()
        termios.tcdrain(self.stream.fileno())
        found = b""
        while select.select([self.master], [], [], 0.1)[0]:
            found += os.read(self.master, 1 << 16)
        return found.decode()


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.stream.close()
    os.close(made.master)


def event(subject: str, phase: Phase, done: int = 0, total: int = 0, text: str = "") -> Event:
    return Event(subject, phase, done, total, text)


def test_quiet_is_silent() -> None:
    assert for_stream(io.StringIO(), quiet=True) is silent


def test_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    shown = for_stream(out)
    assert isinstance(shown, Lines)
    shown(event("", Phase.RESOLVING, text="debian:bookworm"))
    for done in (0, 10, 20):
        shown(event("a" * 12, Phase.DOWNLOADING, done, 20))
    shown(event("b" * 12, Phase.EXISTS))
    shown(event("a" * 12, Phase.RETRYING, text="connection reset"))
    shown(event("a" * 12, Phase.DONE))
    shown(event("a" * 12, Phase.EXISTS))
    shown(event("", Phase.MESSAGE, text="a\x1bmessage"))
    assert out.getvalue().splitlines() == [
        "Pulling debian:bookworm",
        "aaaaaaaaaaaa: Pulling fs layer",
        "bbbbbbbbbbbb: Already exists",
        "aaaaaaaaaaaa: Retrying: connection reset",
        "aaaaaaaaaaaa: Pull complete",
        "a\\x1bmessage",
    ]


def test_a_dumb_terminal_gets_lines(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(for_stream(screen.stream), Lines)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(for_stream(screen.stream), Bars)


@pytest.mark.parametrize("columns", [1, 2, 10, 20, 40, 80, 300])
def test_no_line_is_wider_than_the_terminal(screen: Screen, columns: int) -> None:
    screen.resize(24, columns)
    shown = Bars(screen.stream)
    shown(event("a" * 12, Phase.DOWNLOADING, 12_300_000, 50_100_000))
    shown(event("b" * 12, Phase.RETRYING, text="x" * 200))
    lines = screen.text().replace("\x1b[J", "").split("\r\n")
    for line in lines:
        visible = line.rpartition("\r")[2] if "\x1b[" in line else line
        assert len(visible) <= max(1, columns - 1)


def test_a_bar(screen: Screen) -> None:
    screen.resize(24, 80)
    Bars(screen.stream)(event("a" * 12, Phase.DOWNLOADING, 25, 50))
    line = screen.text().strip()
    assert line.startswith("aaaaaaaaaaaa: Downloading [====")
    assert line.endswith("] 25B/50B")


def test_more_layers_than_rows_are_summed_up(screen: Screen) -> None:
    screen.resize(6, 60)
    shown = Bars(screen.stream)
    shown.due = 0
    for number in range(20):
        shown.layers[f"{number:012}"] = event(
            f"{number:012}", Phase.DONE if number < 5 else Phase.DOWNLOADING, 1, 2
        )
    shown.draw()
    lines = screen.text().strip().split("\r\n")
    assert len(lines) == 4
    assert lines[-1] == "5 of 20 layers complete"
    shown.draw(last=True)
    assert len(shown.drawn) == 20


def test_it_goes_up_over_what_it_drew(screen: Screen) -> None:
    screen.resize(24, 80)
    shown = Bars(screen.stream)
    shown(event("a" * 12, Phase.WAITING))
    shown(event("b" * 12, Phase.WAITING))
    screen.text()
    progress.finish(shown)
    assert screen.text().startswith("\x1b[2A\r\x1b[J")
    screen.resize(24, 20)  # the 21 letters of each line take two rows now
    progress.finish(shown)
    assert screen.text().startswith("\x1b[4A\r\x1b[J")
