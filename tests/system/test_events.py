"""`events` tells every end, also one that no monitor could tell."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.processes import wait_until

SLEEP = ("--network", "none", "busybox", "sleep", "1000")


def told(rootless: Rootless, *options: str) -> list[tuple[str, dict[str, str]]]:
    """Every event so far: its action and attributes."""
    lines = rootless("events", "--since", "1h", "--until", "0s", "--format", "json", *options).lines
    return [(each["Action"], each["Actor"]["Attributes"]) for each in map(json.loads, lines)]


def actions(rootless: Rootless, name: str) -> list[str]:
    return [action for action, _ in told(rootless, "--filter", f"container={name}")]


def kill_monitor(rootless: Rootless, name: str) -> None:
    state = json.loads(rootless("inspect", name).stdout)[0]["State"]
    os.kill(state["MonitorPid"], signal.SIGKILL)
    alive: Callable[[], bool] = lambda: any(  # noqa: E731
        each.pid == state["Pid"] and each.state != "Z" for each in processes.table().values()
    )
    wait_until(lambda: not alive(), "the end of the container")


def test_the_start_stands_before_the_end(rootless: Rootless, busybox_image: str) -> None:
    for number in range(5):
        rootless("run", "-d", "--name", f"short{number}", "--network", "none", busybox_image, "true")
        rootless("wait", f"short{number}")
        assert actions(rootless, f"short{number}") == ["create", "start", "die"]
        rootless("rm", f"short{number}")


def test_rm_force_tells_the_kill(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "forced", *SLEEP)
    rootless("rm", "-f", "forced")
    assert actions(rootless, "forced") == ["create", "start", "kill", "die", "destroy"]
    (kill,) = [about for action, about in told(rootless, "--filter", "container=forced") if action == "kill"]
    assert kill["signal"] == "9"


def test_stop_tells_its_signals(rootless: Rootless, busybox_image: str) -> None:
    """As Docker: each signal, the end, the stop. sleep as PID 1 takes no SIGTERM, so both are sent."""
    rootless("run", "-d", "--name", "deaf", *SLEEP)
    rootless("stop", "-t", "1", "deaf")
    found = told(rootless, "--filter", "container=deaf")
    assert [action for action, _ in found] == ["create", "start", "kill", "kill", "die", "stop"]
    assert [about["signal"] for action, about in found if action == "kill"] == ["15", "9"]
    rootless("rm", "deaf")


def test_a_killed_monitor_is_told_once(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "orphan", *SLEEP)
    kill_monitor(rootless, "orphan")
    watching = rootless.start(
        "events", "--since", "1h", "--filter", "container=orphan", "--filter", "event=die", "--filter", "event=destroy",
        "--format", "{{.Action}}",
    )  # fmt: skip
    for _ in range(3):
        assert actions(rootless, "orphan") == ["create", "start", "die"]
    (die,) = [about for action, about in told(rootless, "--filter", "container=orphan") if action == "die"]
    assert die["exitCode"] == "137"
    assert "monitor lost" in die["error"]
    found = json.loads(rootless("inspect", "orphan").stdout)[0]["State"]
    assert (found["Status"], found["ExitCode"], found["Error"]) == ("exited", 137, "monitor lost")
    rootless("start", "orphan")
    rootless("rm", "-f", "orphan")
    assert actions(rootless, "orphan") == ["create", "start", "die", "start", "kill", "die", "destroy"]
    assert watching.stdout is not None
    followed = [watching.stdout.readline() for _ in range(3)]
    assert followed == [b"die\n", b"die\n", b"destroy\n"], "one for each end"


def test_start_and_rm_tell_it_too(rootless: Rootless, busybox_image: str) -> None:
    for name in ("again", "removed"):
        rootless("run", "-d", "--name", name, *SLEEP)
        kill_monitor(rootless, name)
    rootless("start", "again")
    rootless("rm", "removed")
    rootless("rm", "-f", "again")
    assert actions(rootless, "again") == ["create", "start", "die", "start", "kill", "die", "destroy"]
    assert actions(rootless, "removed") == ["create", "start", "die", "destroy"]


def test_of_a_rm_container_too(rootless: Rootless, busybox_image: str) -> None:
    """The next `run` sweeps it away."""
    rootless("run", "-d", "--rm", "--name", "swept", *SLEEP)
    kill_monitor(rootless, "swept")
    rootless("run", "--rm", "--network", "none", busybox_image, "true")
    assert actions(rootless, "swept") == ["create", "start", "die", "destroy"]


def test_a_waiting_reader_notices_by_itself(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "watched", *SLEEP)
    # From before, or what happens between its start and its first look would be missed.
    watching = rootless.start("events", "--since", "1h", "--filter", "event=die", "--filter", "container=watched")
    wait_until(lambda: any("events" in each.command for each in processes.descendants().values()), "the reader")
    kill_monitor(rootless, "watched")
    assert watching.stdout is not None
    assert b"name=watched" in watching.stdout.readline()
    rootless("rm", "watched")
