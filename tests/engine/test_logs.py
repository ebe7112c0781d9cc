"""`logs` reads the monitor's files: whole and partial lines, tail, times, rotation while following."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

from rootless.engine.state import logs
from rootless.engine.words.clock import from_nanoseconds, to_nanoseconds


def _line(second: int, text: str, *, stream: str = "stdout", kind: str = "F") -> str:
    return f"{from_nanoseconds(second * 1_000_000_000)} {stream} {kind} {text}\n"


def _texts(directory: Path, **window: int | None) -> list[bytes]:
    return [line.text for line in logs.select_lines(logs.read(str(directory)), **window)]


def test_order_over_rotations_and_streams(tmp_path: Path) -> None:
    (tmp_path / "container.log.2").write_text(_line(1, "one"))
    (tmp_path / "container.log.1").write_text(_line(2, "two", stream="stderr"))
    (tmp_path / "container.log").write_text(_line(3, "part", kind="P") + _line(4, "whole"))
    lines = list(logs.read(str(tmp_path)))
    assert [line.text for line in lines] == [b"one\n", b"two\n", b"part", b"whole\n"]
    assert [line.stream for line in lines] == ["stdout", "stderr", "stdout", "stdout"]


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
    assert list(logs.follow(str(tmp_path), None, tail=None, since=None, until=None)) == []


def test_bytes_are_kept(tmp_path: Path) -> None:
    raw = b"\xff\x00\x1b[31m"
    (tmp_path / "container.log").write_bytes(_line(1, "").encode()[:-1] + raw + b"\n")
    assert _texts(tmp_path) == [raw + b"\n"]


def test_follow_over_a_rotation_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
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
    thread.start()
    seen = [line.text for line in logs.follow(str(tmp_path), pidfd, tail=None, since=None, until=None)]
    thread.join()
    writer.wait()
    os.close(pidfd)
    assert seen == [f"{number}\n".encode() for number in range(300)]


def test_times_are_the_logs_own(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_text(_line(7, "x"))
    (line,) = logs.read(str(tmp_path))
    assert to_nanoseconds(line.time) == 7 * 10**9
