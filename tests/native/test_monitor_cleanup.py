"""What the monitor leaves: the clean-up and who does it, descriptors, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rootless.linux.signals import SENT_TO_JOBS
from tests.native.monitored import (
    CLEANED,
    WILL_CLEAN,
    Monitor,
    eventually,
)


def test_signals_to_the_monitor_are_harmless(monitor: Monitor) -> None:
    monitor.start("sleep", "100", client=True)
    assert monitor.client is not None
    eventually(lambda: Path(f"/proc/{monitor.pid}/comm").read_text().startswith("rootless-"))
    time.sleep(0.1)
    for number in (*SENT_TO_JOBS, signal.SIGPIPE):
        os.kill(monitor.pid, number)
    time.sleep(0.2)
    os.kill(monitor.child, signal.SIGUSR1)
    assert monitor.client.finish().status == signal.SIGUSR1


def test_clean_up_is_run_with_nothing_inherited(monitor: Monitor, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = (
        f"(ls -l /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; pwd) > {told}.new; "
        f"mv {told}.new {told}"
    )
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)  # a stray one, named in no option
    monitor.start("true", options=(), cleanup=("sh", "-c", script, "cleanup"))
    os.close(writer)
    assert os.read(reader, 1) == b""  # and the monitor has closed it at once
    os.close(reader)
    monitor.wait()
    lines = told.read_text().splitlines()
    numbers = [line.split()[8] for line in lines if "->" in line]
    assert numbers == ["0", "1", "2", "3"]  # 3 is ls's own
    assert [line.split()[10] for line in lines if "->" in line][0::2][0] == "/dev/null"
    assert "SigBlk:\t0000000000000000" in lines
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    assert not any(ignored >> number - 1 & 1 for number in (*SENT_TO_JOBS, signal.SIGPIPE))
    assert lines[-1] == "/"
    assert monitor.exit_json()["status"] == 0


def cleaning(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    mark = tmp_path / "cleaned"
    return mark, ("sh", "-c", f": > {mark}")


def test_clean_up_left_to_the_client(monitor: Monitor, tmp_path: Path) -> None:
    mark, argv = cleaning(tmp_path)
    client = monitor.start("true", client=True, cleanup=argv, delay_s=0.1).client
    assert client is not None
    client.send(WILL_CLEAN)
    client.finish()
    time.sleep(0.2)
    assert Path(f"/proc/{monitor.pid}/comm").read_text().startswith("rootless-")
    late = monitor.attach()  # told at once, and not awaited
    assert late.finish().status == 0
    client.send(CLEANED)
    assert monitor.wait() == 0
    assert not mark.exists()


def test_clean_up_when_the_client_fails_to(monitor: Monitor, tmp_path: Path) -> None:
    mark, argv = cleaning(tmp_path)
    client = monitor.start("true", client=True, cleanup=argv, delay_s=0.1).client
    assert client is not None
    client.send(WILL_CLEAN)
    client.finish()
    client.close()
    assert monitor.wait() == 0
    assert mark.exists()


def test_clean_up_when_the_client_died_long_before(monitor: Monitor, tmp_path: Path) -> None:
    mark, argv = cleaning(tmp_path)
    client = monitor.start("sleep", "0.3", client=True, cleanup=argv).client
    assert client is not None
    client.send(WILL_CLEAN)
    client.close()
    assert monitor.wait() == 0
    assert mark.exists()


def test_clean_up_without_a_handshake(monitor: Monitor, tmp_path: Path) -> None:
    mark, argv = cleaning(tmp_path)
    client = monitor.start("sleep", "0.3", client=True, cleanup=argv).client
    assert client is not None
    client.send(CLEANED)  # before the end: means nothing
    client.finish()
    assert monitor.wait() == 0
    assert mark.exists()


def test_hold_is_kept_until_the_child_ends(helpers: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    made = Monitor(helpers / "rootless-monitor", tmp_path / "c")
    try:
        made.start("sleep", "100", options=("--hold", str(writer)))
        os.close(writer)
        os.set_blocking(reader, False)
        time.sleep(0.2)
        try:
            assert os.read(reader, 1) != b""
        except BlockingIOError:
            pass
        os.set_blocking(reader, True)
        os.kill(made.child, signal.SIGKILL)
        assert os.read(reader, 1) == b""
        made.wait()
    finally:
        made.stop()
        os.close(reader)


def test_a_run_of_holds_is_kept_until_the_child_ends(helpers: Path, tmp_path: Path) -> None:
    """Both ends of it and what lies between, and what lies beside it is closed."""
    pipes = [os.pipe() for _ in range(5)]
    made = Monitor(helpers / "rootless-monitor", tmp_path / "c")
    for number, (_, writer) in enumerate(pipes, 300):
        os.dup2(writer, number)
        os.close(writer)
    try:
        made.start("sleep", "100", options=("--hold", "301", "--hold-to", "303"))
        for number in range(300, 305):
            os.close(number)
        for reader, _ in (pipes[0], pipes[4]):
            assert os.read(reader, 1) == b"", "it has not been asked to hold this one"
        for reader, _ in pipes[1:4]:
            os.set_blocking(reader, False)
            with pytest.raises(BlockingIOError):
                os.read(reader, 1)
            os.set_blocking(reader, True)
        os.kill(made.child, signal.SIGKILL)
        for reader, _ in pipes[1:4]:
            assert os.read(reader, 1) == b""
        made.wait()
    finally:
        made.stop()
        for reader, _ in pipes:
            os.close(reader)


def test_arguments_are_checked(helpers: Path, tmp_path: Path) -> None:
    for words in (
        [],
        ["--pid", "1"],
        ["--pid", "x", "--dir", "3"],
        ["--nonsense"],
        ["--pid", "1", "--dir", "77"],
    ):
        done = subprocess.run(
            [helpers / "rootless-monitor", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "rootless-monitor: " in done.stderr


def test_passed_descriptors_are_open_to_the_end_and_the_clean_up_inherits_them(monitor: Monitor, tmp_path: Path) -> None:
    """Both of its shapes: watching a child, and waiting for a restart. A stray one is closed by both."""
    told = tmp_path / "told"
    again = f"exec {monitor.program} --wait 1 --pass 2 -- sh -c 'ls -l /proc/self/fd >{told}'"
    watch = f"{monitor.program} --pid $child --start-time 0 --dir 8 --pass 2 -- sh -c \"$again\""
    script = f'sleep 0.3 & child=$!; exec 3</etc/passwd 4</etc/group 5</etc/hosts 8<"$1"; exec {watch}'
    environment = {**os.environ, "again": again}
    subprocess.run(["sh", "-c", script, "sh", str(tmp_path)], env=environment, check=True, timeout=20)
    open_files = {line.split()[8]: line.split()[-1] for line in told.read_text().splitlines() if "->" in line}
    assert (open_files["3"], open_files["4"]) == ("/etc/passwd", "/etc/group")
    assert "5" not in open_files or open_files["5"].startswith("/proc/")
