"""However a build ends, nothing of it runs on, nothing half-made stays, and the cache is good."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store

DOCKERFILE = (
    "FROM busybox AS a\nRUN echo kept > /kept\nRUN echo one; sleep 1001\n"
    "FROM busybox\nRUN echo two; sleep 1002\nCOPY --from=a /kept /\n"
)


def sleeping() -> list[int]:
    """Our sleeps, which are what is left of the build."""
    return [one.pid for one in processes.descendants().values() if "sleep 100" in one.command]


def wait_for(condition: object, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def begun(rootless: Rootless, context: Path) -> subprocess.Popen[bytes]:
    """A build, when both of its stages are at work."""
    (context / "Dockerfile").write_text(DOCKERFILE)
    process = rootless.start("build", "--progress=plain", "--jobs=2", context, stdout=subprocess.DEVNULL)
    wait_for(
        lambda: sum("sleep 100" in one.command for one in processes.descendants().values()) >= 2,
        "no RUN began",
    )
    return process


def unfinished(rootless: Rootless) -> list[str]:
    there = [name for name in os.listdir(rootless.root / "build/steps") if name.startswith(".")]
    return there + os.listdir(rootless.sockets / "b")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all(
    rootless: Rootless, busybox_image: str, context: Path, number: signal.Signals
) -> None:
    process = begun(rootless, context)
    process.send_signal(number)
    assert process.wait(60) != 0
    wait_for(lambda: not sleeping(), "a container outlived its build")
    wait_for(lambda: not unfinished(rootless), "half a step was left")


def test_a_killed_build_takes_its_steps_with_it(
    rootless: Rootless, busybox_image: str, context: Path
) -> None:
    process = begun(rootless, context)
    process.kill()
    process.wait(60)
    wait_for(lambda: not sleeping(), "a container outlived its build")
    wait_for(lambda: not unfinished(rootless), "half a step was left")


def test_a_killed_step_fails_and_is_swept(rootless: Rootless, busybox_image: str, context: Path) -> None:
    process = begun(rootless, context)
    workers = [
        one
        for one in processes.descendants().values()
        if one.parent == process.pid and "build" in one.command
    ]
    os.kill(workers[0].pid, signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"ended unexpectedly (killed by signal 9)" in told
    wait_for(lambda: not sleeping(), "a container outlived its build")
    rootless("build", "-q", "-", stdin="FROM busybox\nRUN true\n")
    assert not unfinished(rootless)


def test_what_was_done_by_then_is_in_the_cache(rootless: Rootless, busybox_image: str, context: Path) -> None:
    process = begun(rootless, context)
    process.kill()
    process.wait(60)
    (context / "Dockerfile").write_text(DOCKERFILE.replace("; sleep 1001", "").replace("; sleep 1002", ""))
    told = rootless("build", "--progress=plain", "-t", "x", context).stderr
    assert "RUN echo kept > /kept\n#4 CACHED" in told
    assert rootless("run", "--rm", "x", "cat", "/kept").stdout == "kept\n"


def test_a_failed_step_ends_the_others(rootless: Rootless, busybox_image: str) -> None:
    text = "FROM busybox AS a\nRUN sleep 1001\nFROM busybox\nRUN sleep 1; exit 5\nCOPY --from=a /x /\n"
    failed = rootless("build", "--progress=plain", "--jobs=2", "-", stdin=text, status=1)
    assert "exit code: 5" in failed.stderr
    assert "ERROR: CANCELED" in failed.stderr or "CANCELED" in failed.stderr
    wait_for(lambda: not sleeping(), "a container outlived its build")


def test_two_builds_at_once_share_their_work(rootless: Rootless, busybox_image: str, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN sleep 2; cat /proc/sys/kernel/random/uuid > /id\n")
    several = [rootless.start("build", "-q", context) for _ in range(3)]
    told = [process.communicate(timeout=100) for process in several]
    assert [process.returncode for process in several] == [0, 0, 0], told
    assert len({output for output, _ in told}) == 1
