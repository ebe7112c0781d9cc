"""Restart policies: Docker's rules and back-off, without a daemon and without waiting Python."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.processes import wait_until


def start(rootless: Rootless, image: str, *options: str, script: str = "exit 1", name: str = "web") -> str:
    words = ("run", "-d", "--name", name, "--network", "none", *options, image, "sh", "-c", script)
    return rootless(*words).stdout.strip()


def state(rootless: Rootless, name: str = "web") -> dict[str, Any]:
    (found,) = json.loads(rootless("inspect", name).stdout)
    return {**found["State"], "RestartCount": found["RestartCount"], "Policy": found["HostConfig"]["RestartPolicy"]}


def waiting() -> list[processes.Process]:
    """The processes that wait for a restart: C programs, never an interpreter."""
    return [each for each in processes.descendants().values() if "rootless-monitor --wait" in each.command]


def start_waiting(rootless: Rootless, image: str) -> processes.Process:
    """A container that waits half a minute for its start: it has failed often, its record says."""
    identity = start(rootless, image, "--restart", "always", script="exec sleep 1000")
    path = rootless.root / "containers" / identity / "restart.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "delay_ms": 15_000, "restarts": 7}))
    os.kill(state(rootless)["Pid"], signal.SIGKILL)
    wait_until(waiting, "the wait for the next start")
    return waiting()[0]


def test_on_failure_counts_and_gives_up(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "--restart", "on-failure:2", script="echo run; exit 3")
    wait_until(lambda: state(rootless)["Status"] == "exited", "giving up")
    found = state(rootless)
    assert (found["RestartCount"], found["ExitCode"], found["Restarting"]) == (2, 3, False)
    assert found["Policy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert rootless("logs", "web").lines == ["run"] * 3
    rootless("rm", "web")


def test_on_failure_leaves_success_alone(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "--restart", "on-failure", script="exit 0")
    rootless("wait", "web")
    assert state(rootless)["Status"] == "exited"
    wait_until(lambda: not processes_of("after-exit"), "the decision")
    assert state(rootless)["RestartCount"] == 0
    rootless("rm", "web")


def processes_of(word: str) -> list[processes.Process]:
    return [each for each in processes.descendants().values() if word in each.command]


def test_delays_double_and_the_log_goes_on(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "--restart", "on-failure:3", script="echo run >&2; exit 1")
    wait_until(lambda: state(rootless)["Status"] == "exited", "giving up")
    stamps = [line.split(" ")[0] for line in rootless("logs", "-t", "web").stderr.splitlines()]
    seconds = [float(stamp[17:29]) + 60 * int(stamp[14:16]) for stamp in stamps]
    gaps = [(later - earlier) % 3600 for earlier, later in itertools.pairwise(seconds)]
    assert len(gaps) == 3, "three restarts"
    for gap, least in zip(gaps, (0.1, 0.2, 0.4), strict=True):
        assert gap >= least
    rootless("rm", "web")


def test_logs_follow_across_restarts(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "--restart", "on-failure:2", script="echo run; sleep 0.3; exit 3")
    assert rootless("logs", "-f", "web", timeout=20).lines == ["run"] * 3
    rootless("rm", "web")


def test_restarting_is_told(rootless: Rootless, busybox_image: str) -> None:
    start_waiting(rootless, busybox_image)
    found = state(rootless)
    assert (found["Status"], found["Restarting"], found["Running"], found["Pid"]) == ("restarting", True, True, 0)
    assert found["RestartCount"] == 8
    assert rootless("ps", "--format", "{{.Status}}").stdout.startswith("Restarting (137) ")
    assert rootless("ps", "-q", "--filter", "status=restarting").stdout
    for words in (("exec", "web", "true"), ("pause", "web"), ("rm", "web")):
        assert "is restarting" in rootless(*words, status=1).stderr
    rootless("rm", "-f", "web")
    assert not waiting()


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_stop_and_kill_call_a_restart_off(rootless: Rootless, busybox_image: str, verb: str) -> None:
    start_waiting(rootless, busybox_image)
    rootless(verb, "web")
    assert not waiting()
    assert state(rootless)["Status"] == "exited"
    rootless("start", "web")  # by hand: it counts from the beginning
    assert (state(rootless)["Status"], state(rootless)["RestartCount"]) == ("running", 0)
    rootless("rm", "-f", "web")


@pytest.mark.parametrize("words", [("stop", "-t", "0"), ("kill",), ("rm", "-f")])
def test_a_stopped_container_stays_stopped(
    rootless: Rootless, busybox_image: str, words: tuple[str, ...]
) -> None:
    start(rootless, busybox_image, "--restart", "always", script="sleep 1000")
    rootless(*words, "web")
    time.sleep(0.5)
    assert not processes_of("sleep 1000")
    if words[0] != "rm":
        assert state(rootless)["Status"] == "exited"
        rootless("rm", "web")


def test_a_start_by_hand_does_not_wait(rootless: Rootless, busybox_image: str) -> None:
    start_waiting(rootless, busybox_image)
    rootless("start", "web")
    assert (state(rootless)["Status"], state(rootless)["RestartCount"]) == ("running", 0)
    assert not waiting()
    rootless("rm", "-f", "web")


def test_kill_and_stop_of_a_container_that_fails_all_the_time(rootless: Rootless, busybox_image: str) -> None:
    for verb in ("kill", "stop", "kill", "stop"):
        start(rootless, busybox_image, "--restart", "always", script="exit 1")
        rootless(verb, "web")
        assert state(rootless)["Status"] == "exited"
        rootless("rm", "web")


def test_killed_wait_is_an_exited_container(rootless: Rootless, busybox_image: str) -> None:
    os.kill(start_waiting(rootless, busybox_image).pid, signal.SIGKILL)
    wait_until(lambda: state(rootless)["Status"] == "exited", "the truth")
    rootless("rm", "web")


def test_a_killed_command_comes_back_and_a_killed_monitor_does_not(
    rootless: Rootless, busybox_image: str
) -> None:
    start(rootless, busybox_image, "--restart", "unless-stopped", script="exec sleep 1000")
    first = state(rootless)
    os.kill(first["Pid"], signal.SIGKILL)
    wait_until(lambda: state(rootless)["Pid"] not in (0, first["Pid"]), "the restart")
    second = state(rootless)
    assert (second["RestartCount"], second["Status"]) == (1, "running")
    os.kill(second["MonitorPid"], signal.SIGKILL)
    wait_until(lambda: state(rootless)["Status"] == "exited", "the end")
    rootless("rm", "web")


def test_an_attached_client_sees_the_first_end(rootless: Rootless, busybox_image: str) -> None:
    """As Docker's: `run` returns the first status, the policy goes on without it."""
    done = rootless(
        "run", "--name", "web", "--network", "none", "--restart", "on-failure:1",
        busybox_image, "sh", "-c", "echo run; exit 7", status=7,
    )  # fmt: skip
    assert done.stdout == "run\n"
    wait_until(lambda: rootless("logs", "web").lines == ["run"] * 2, "the second run")
    wait_until(lambda: state(rootless)["Status"] == "exited", "the end")
    rootless("rm", "web")


def test_a_start_that_fails_ends_it(rootless: Rootless, busybox_image: str, tmp_path: Any) -> None:
    source = tmp_path / "mounted"
    source.mkdir()
    start(rootless, busybox_image, "--restart", "always", "--mount", f"type=bind,src={source},dst=/m", script="sleep 0.5; exit 1")
    source.rmdir()
    wait_until(lambda: state(rootless)["Error"], "the failure")
    found = state(rootless)
    assert found["Status"] == "exited"
    assert str(source) in found["Error"]
    rootless("rm", "web")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--restart", "sometimes"), "unknown policy"),
        (("--restart", "always:3"), "only be used with 'on-failure'"),
        (("--restart", "on-failure:x"), "must be an integer"),
        (("--restart", "on-failure:-1"), "must be an integer"),
        (("--rm", "--restart", "always"), "--restart and --rm"),
    ],
)
def test_nonsense_is_refused(
    rootless: Rootless, busybox_image: str, words: tuple[str, ...], told: str
) -> None:
    assert told in rootless("run", *words, busybox_image, "true", status=125).stderr
    assert rootless("ps", "-aq").stdout == ""
