"""`logs` reads the monitor's files: whole and partial lines, tail, times, rotation while following."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from rootless.engine.options.clock import from_nanoseconds, to_nanoseconds
from rootless.engine.state.logs import files as log_files
from rootless.engine.state.logs import logs
from rootless.engine.state.logs.follow import LogFollower


def _line(second: int, text: str, *, stream: str = "stdout", kind: str = "F") -> str:
    return f"{from_nanoseconds(second * 1_000_000_000)} {stream} {kind} {text}\n"


def _texts(directory: Path, **window: int | None) -> list[bytes]:
    return [line.text for line in logs.read(str(directory), logs.window(**window))]


def _follow(directory: Path, window: logs.Window, *monitors: int) -> Generator[logs.Line]:
    """The lines that a follower gives while these monitors, pidfds that it closes, come one after the other."""
    with LogFollower(str(directory), window, itertools.chain(monitors, itertools.repeat(None)).__next__) as follower:
        yield from follower.lines()


def test_order_over_rotations_and_streams(tmp_path: Path) -> None:
    (tmp_path / "container.log.2").write_text(_line(1, "one"))
    (tmp_path / "container.log.1").write_text(_line(2, "two", stream="stderr"))
    (tmp_path / "container.log").write_text(_line(3, "part", kind="P") + _line(4, "whole"))
    lines = list(logs.read(str(tmp_path), logs.window()))
    assert [line.text for line in lines] == [b"one\n", b"two\n", b"partwhole\n"]
    assert [line.stream for line in lines] == ["stdout", "stderr", "stdout"]
    assert lines[-1].time == from_nanoseconds(4 * 10**9)


def test_tail_since_until(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_text("".join(_line(n, str(n)) for n in range(10)))
    assert _texts(tmp_path, tail=2) == [b"8\n", b"9\n"]
    assert _texts(tmp_path, tail=0) == []
    assert _texts(tmp_path, since=8 * 10**9) == [b"8\n", b"9\n"]
    assert _texts(tmp_path, until=1 * 10**9) == [b"0\n", b"1\n"]


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(
        b"nonsense\n" + _line(1, "good").encode() + b"2026 stdout F torn"
    )
    assert _texts(tmp_path) == [b"good\n"]


def test_no_log_at_all(tmp_path: Path) -> None:
    assert _texts(tmp_path) == []
    assert list(_follow(tmp_path, logs.window())) == []


def test_bytes_are_kept(tmp_path: Path) -> None:
    raw = b"\xff\x00\x1b[31m"
    (tmp_path / "container.log").write_bytes(_line(1, "").encode()[:-1] + raw + b"\n")
    assert _texts(tmp_path) == [raw + b"\n"]


@pytest.mark.parametrize("tail", [None, 10])
def test_follow_over_a_rotation_loses_and_repeats_nothing(tmp_path: Path, tail: int | None) -> None:
    path = tmp_path / "container.log"
    (tmp_path / "container.log.1").write_text("".join(_line(0, f"-{number}") for number in range(30, 0, -1)))
    path.write_text(_line(0, "0"))
    writer = subprocess.Popen(["sleep", "30"])  # stands for the monitor: its end ends the following
    pidfd = os.pidfd_open(writer.pid)

    def write() -> None:
        for number in range(1, 300):
            with open(path, "a") as file:
                file.write(_line(number, str(number)))
            if number % 50 == 0:
                # Now and then so fast that the reader misses a whole file.
                time.sleep(0.2 if number % 100 else 0)
                for old in range(5, 0, -1):
                    if (tmp_path / f"container.log.{old}").exists():
                        os.rename(tmp_path / f"container.log.{old}", tmp_path / f"container.log.{old + 1}")
                os.rename(path, tmp_path / "container.log.1")
                path.touch()
        writer.kill()

    thread = threading.Thread(target=write)
    seen: list[bytes] = []
    for line in _follow(tmp_path, logs.window(tail=tail), pidfd):
        if not seen:  # by now it has decided where the last ten begin
            thread.start()
        seen.append(line.text)
    thread.join()
    writer.wait()
    first = -30 if tail is None else 1 - tail
    assert seen == [f"{number}\n".encode() for number in range(first, 300)]


def test_times_are_the_logs_own(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_text(_line(7, "x"))
    (line,) = logs.read(str(tmp_path), logs.window())
    assert to_nanoseconds(line.time) == 7 * 10**9


def _many(directory: Path, seed: int) -> list[logs.Line]:
    """A log of whole and partial records of both streams in files of odd sizes; its lines, in the order of their ends."""
    chance = random.Random(seed)
    records: list[str] = []
    lines: list[logs.Line] = []
    open_parts: dict[str, str] = {}
    for second in range(1, 400):
        stream = chance.choice(("stdout", "stderr"))
        text = f"{second}" * chance.choice((1, 1, 1, 50, 400))
        if chance.random() < 0.4:
            records.append(_line(second, text, stream=stream, kind="P"))
            open_parts[stream] = open_parts.get(stream, "") + text
        else:
            records.append(_line(second, text, stream=stream))
            whole = open_parts.pop(stream, "") + text + "\n"
            lines.append(logs.Line(from_nanoseconds(second * 10**9), stream, whole.encode()))
    files = chance.randrange(1, 5)
    bounds = [0, *sorted(chance.randrange(len(records)) for _ in range(files - 1)), len(records)]
    for number, (begin, end) in enumerate(itertools.pairwise(bounds)):
        suffix = f".{files - 1 - number}" if number < files - 1 else ""
        (directory / f"container.log{suffix}").write_text("".join(records[begin:end]))
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_the_last_lines_are_those_of_the_whole_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    lines = _many(tmp_path, seed)
    monkeypatch.setattr(log_files, "BLOCK_BYTES", 700)
    every = list(logs.read(str(tmp_path), logs.window()))
    unfinished = [line for line in every if not line.text.endswith(b"\n")]
    assert every[: len(lines)] == lines
    for tail in (0, 1, 2, 5, 17, 100, 1000):
        found = list(logs.read(str(tmp_path), logs.window(tail=tail)))
        whole = [line for line in found if line.text.endswith(b"\n")]
        assert whole == lines[len(lines) - len(whole) :]
        # A line without an end yet is one of the last where it begins among them.
        left = found[len(whole) :]
        assert left == unfinished[len(unfinished) - len(left) :] or len(left) < len(unfinished)
        assert min(tail, len(every)) - len(left) <= len(whole) <= tail
        assert list(_follow(tmp_path, logs.window(tail=tail)))[: len(whole)] == whole
    for second in (1, 57, 200, 399):
        since = list(logs.read(str(tmp_path), logs.window(since=second * 10**9)))
        kept = [line for line in lines if line.time >= from_nanoseconds(second * 10**9)]
        # Of a line that began before, the parts since then.
        assert [line.time for line in since if line.text.endswith(b"\n")] == [line.time for line in kept]
        until = list(logs.read(str(tmp_path), logs.window(until=second * 10**9, tail=3)))
        assert until == [line for line in every if line.time <= from_nanoseconds(second * 10**9)][-3:]


def test_the_end_is_found_without_reading_all(tmp_path: Path) -> None:
    """A file whose beginning cannot be read at all: it is a hole of a terabyte."""
    path = tmp_path / "container.log"
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + "".join(_line(n, str(n)) for n in range(10)).encode())
    assert _texts(tmp_path, tail=2) == [b"8\n", b"9\n"]
    assert _texts(tmp_path, since=9 * 10**9) == [b"9\n"]
    following = _follow(tmp_path, logs.window(tail=1))
    assert [line.text for line in following] == [b"9\n"]


def test_a_huge_line_is_given_in_parts(tmp_path: Path) -> None:
    part = "x" * 32768
    with (tmp_path / "container.log").open("w") as file:
        file.write(_line(1, "before"))
        for second in range(100):
            file.write(_line(2 + second, part, kind="P"))
        file.write(_line(200, "end") + _line(201, "after"))
    lines = list(logs.read(str(tmp_path), logs.window()))
    assert b"".join(line.text for line in lines) == b"before\n" + part.encode() * 100 + b"end\nafter\n"
    assert [line.continued for line in lines] == [False, False, True, True, True, False]
    assert max(len(line.text) for line in lines) <= logs.LONGEST_LINE_BYTES
    assert _texts(tmp_path, tail=1) == [b"after\n"]
    last = _texts(tmp_path, tail=2)
    assert last[-1] == b"after\n"
    assert b"".join(last).endswith(b"xend\nafter\n")


def test_whoever_follows_sees_a_line_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    path.write_text(_line(1, "Password: ", kind="P"))
    writer = subprocess.Popen(["sleep", "30"])
    pidfd = os.pidfd_open(writer.pid)
    following = _follow(tmp_path, logs.window(), pidfd)
    assert next(following) == logs.Line(from_nanoseconds(10**9), "stdout", b"Password: ")
    with path.open("a") as file:
        file.write(_line(2, "") + _line(3, "in"))
    writer.kill()
    writer.wait()
    assert list(following) == [
        logs.Line(from_nanoseconds(2 * 10**9), "stdout", b"\n", continued=True),
        logs.Line(from_nanoseconds(3 * 10**9), "stdout", b"in\n"),
    ]


def test_who_stops_following_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    path.write_text(_line(1, "one"))
    (tmp_path / "container.log.1").write_text(_line(0, "zero"))
    writer = subprocess.Popen(["sleep", "30"])
    earlier = subprocess.Popen(["sleep", "0"])
    before = os.listdir("/proc/self/fd")
    first = os.pidfd_open(earlier.pid)
    earlier.wait()
    asked: list[str] = []

    def monitor() -> int:
        asked.append("once more")
        if len(asked) == 1:
            return first
        with path.open("a") as file:
            file.write(_line(2, "two"))
        return os.pidfd_open(writer.pid)

    with LogFollower(str(tmp_path), logs.window(), monitor) as follower:
        lines = follower.lines()
        assert [next(lines).text for _ in range(3)] == [b"zero\n", b"one\n", b"two\n"]
    writer.kill()
    writer.wait()
    assert os.listdir("/proc/self/fd") == before
