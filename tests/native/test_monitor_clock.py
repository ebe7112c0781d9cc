"""The monitor's clock: health checks at their times, the wait of a restart, a clean-up that depends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.native.monitored import Monitor, cpu_ticks, eventually, own_memory


def checked(*words: str, first: int = 100, interval: int = 200, start_interval: int = 50, timeout: int = 5000) -> tuple[str, ...]:
    """Options for a check that runs these words."""
    return (
        *(part for word in words for part in ("--health", word)),
        "--health-first", str(first), "--health-interval", str(interval),
        "--health-start-interval", str(start_interval), "--health-timeout", str(timeout),
    )  # fmt: skip


def stamping(path: Path, more: str = "") -> tuple[str, ...]:
    """A check that writes down when it began."""
    return ("sh", "-c", f"date +%s.%N >>{path}; {more}")


def stamps(path: Path) -> list[float]:
    return [float(line) for line in path.read_text().split()] if path.exists() else []


def test_checks_come_at_their_interval(monitor: Monitor, tmp_path: Path) -> None:
    told = tmp_path / "told"
    started = time.time()
    monitor.start("sleep", "100", options=checked(*stamping(told)))
    eventually(lambda: len(stamps(told)) >= 4)
    # Each may write late, so that the next seems early: what holds is the distance to the start.
    for number, stamp in enumerate(stamps(told)):
        assert stamp - started >= 0.1 + number * 0.2
    os.kill(monitor.child, signal.SIGKILL)
    monitor.wait()
    count = len(stamps(told))
    time.sleep(0.5)
    assert len(stamps(told)) == count


def test_status_10_asks_for_the_start_interval(monitor: Monitor, tmp_path: Path) -> None:
    told = tmp_path / "told"
    monitor.start("sleep", "100", options=checked(*stamping(told, "exit 10"), interval=60_000))
    eventually(lambda: len(stamps(told)) >= 4)


def test_never_two_at_once_and_killed_at_the_timeout(monitor: Monitor, tmp_path: Path) -> None:
    told = tmp_path / "told"
    started = time.time()
    monitor.start("sleep", "100", options=checked(*stamping(told, "exec sleep 77"), interval=50, timeout=400))
    eventually(lambda: len(stamps(told)) >= 3)
    for number, stamp in enumerate(stamps(told)):
        assert stamp - started >= 0.1 + number * 0.45
    running = subprocess.run(["pgrep", "-P", str(monitor.pid), "-f", "sleep 77"], capture_output=True, check=False)
    assert len(running.stdout.split()) <= 1


@pytest.mark.parametrize("end", ["child", "monitor"])
def test_a_check_ends_with_what_it_checks(monitor: Monitor, tmp_path: Path, end: str) -> None:
    told = tmp_path / "pid"
    monitor.start("sleep", "100", options=checked("sh", "-c", f"echo $$ >{told}; exec sleep 77", first=1))
    check = int(eventually(lambda: told.exists() and told.read_text().strip()))
    os.kill(monitor.child if end == "child" else monitor.pid, signal.SIGKILL)
    monitor.wait()

    def gone() -> bool:
        try:
            return Path(f"/proc/{check}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    eventually(gone)


def test_a_check_inherits_nothing(monitor: Monitor, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"(ls -l /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status) >{told}.new; mv {told}.new {told}"
    monitor.start("sleep", "100", options=checked("sh", "-c", script, first=1, interval=60_000))
    eventually(told.exists)
    lines = told.read_text().splitlines()
    assert [line.split()[8] for line in lines if "->" in line] == ["0", "1", "2", "3"]  # 3 is ls's own
    assert "SigBlk:\t0000000000000000" in lines


def test_a_check_that_cannot_be_run_costs_nothing(monitor: Monitor) -> None:
    monitor.start("sleep", "100", options=checked("/no/such/program", first=1, interval=100))
    eventually(lambda: Path(f"/proc/{monitor.pid}/comm").read_text().startswith("rootless-"))
    before = cpu_ticks(monitor.pid)
    time.sleep(1)
    assert cpu_ticks(monitor.pid) - before < 20


@pytest.mark.parametrize("there", [True, False])
def test_clean_up_only_with_its_file(monitor: Monitor, tmp_path: Path, there: bool) -> None:
    mark = tmp_path / "cleaned"
    monitor.start("sleep", "0.3", options=("--cleanup-if", "restart.json"), cleanup=("sh", "-c", f": >{mark}"))
    if there:  # what counts is the end, not the start
        (monitor.dir / "restart.json").write_text("{}")
    assert monitor.wait() == 0
    assert mark.exists() is there


def test_wait(helpers: Path, tmp_path: Path) -> None:
    program, mark = helpers / "rootless-monitor", tmp_path / "mark"
    reader, writer = os.pipe()
    started = time.monotonic()
    waiting = subprocess.Popen(
        [program, "--wait", "700", "--", "sh", "-c", f"ls /proc/self/fd >{mark}.new; mv {mark}.new {mark}"],
        pass_fds=[writer],
    )
    os.close(writer)
    assert os.read(reader, 1) == b""  # it keeps no descriptor
    os.close(reader)
    assert own_memory(waiting.pid) < 80, "one waits for each container that is to be restarted"
    for number in (signal.SIGHUP, signal.SIGINT):
        waiting.send_signal(number)
    assert waiting.wait(timeout=60) == 0
    assert time.monotonic() - started >= 0.7
    assert mark.read_text().split() == ["0", "1", "2", "3"]


def test_wait_ends_with_sigterm(helpers: Path, tmp_path: Path) -> None:
    """A machine that shuts down does not wait for a restart."""
    waiting = subprocess.Popen([helpers / "rootless-monitor", "--wait", "60000", "--", "true"])
    time.sleep(0.2)
    waiting.terminate()
    assert waiting.wait(timeout=60) == -signal.SIGTERM


@pytest.mark.parametrize(
    "words",
    [
        ("--wait", "5"),
        ("--wait", "x", "--", "true"),
        ("--pid", "1", "--dir", "0", "--cleanup-if", "a/b"),
        ("--pid", "1", "--health-interval", "-1"),
    ],
)
def test_arguments_are_checked(helpers: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run([helpers / "rootless-monitor", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "rootless-monitor: " in done.stderr


def test_the_child_is_killed_at_its_timeout(monitor: Monitor, tmp_path: Path) -> None:
    """Once: what it leaves behind drains as at any end. Checks do not put it off."""
    told = tmp_path / "told"
    started = time.monotonic()
    monitor.start("sleep", "100", options=("--timeout-ms", "700", *checked(*stamping(told), interval=50)))
    assert monitor.wait() == 0
    assert monitor.exit_json()["status"] == signal.SIGKILL
    assert time.monotonic() - started >= 0.7
    assert stamps(told)


def test_a_child_that_ends_before_its_timeout(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "exit 3", options=("--timeout-ms", "60000"))
    assert monitor.wait() == 0
    assert monitor.exit_json()["status"] == 3 << 8
