"""Health checks: run by the monitor's clock, judged by Docker's rules."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.harness import images, processes
from tests.harness.command import Rootless
from tests.harness.processes import wait_until

FAST = ("--health-interval", "300ms", "--health-retries", "2")


def start(rootless: Rootless, image: str, check: str, *options: str, script: str = "sleep 1000") -> None:
    words = ("run", "-d", "--name", "web", "--network", "none", "--health-cmd", check, *options)
    rootless(*words, image, "sh", "-c", script)


def health(rootless: Rootless) -> dict[str, Any]:
    (found,) = json.loads(rootless("inspect", "web").stdout)
    result: dict[str, Any] = found["State"]["Health"]
    return result


def until(rootless: Rootless, status: str) -> dict[str, Any]:
    wait_until(lambda: health(rootless)["Status"] == status, status)
    return health(rootless)


def shown(rootless: Rootless) -> str:
    return rootless("ps", "--format", "{{.Status}}").stdout.strip()


def test_healthy_then_unhealthy(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "echo checked; test ! -e /bad", *FAST)
    assert shown(rootless).endswith("(health: starting)")
    found = until(rootless, "healthy")
    assert found["FailingStreak"] == 0
    assert found["Log"][-1]["Output"] == "checked\n"
    assert found["Log"][-1]["ExitCode"] == 0
    assert shown(rootless).endswith("(healthy)")
    assert rootless("ps", "-q", "--filter", "health=healthy").stdout
    rootless("exec", "web", "touch", "/bad")
    found = until(rootless, "unhealthy")
    assert found["FailingStreak"] >= 2
    assert shown(rootless).endswith("(unhealthy)")
    assert not rootless("ps", "-q", "--filter", "health=healthy").stdout
    wait_until(lambda: len(health(rootless)["Log"]) == 5, "five results, and no more")
    rootless("exec", "web", "rm", "/bad")
    until(rootless, "healthy")
    rootless("rm", "-f", "web")


def test_failures_of_the_start_period_do_not_count(rootless: Rootless, busybox_image: str) -> None:
    options = ("--health-start-period", "60s", "--health-start-interval", "200ms", "--health-retries", "1")
    start(rootless, busybox_image, "test -e /up", "--health-interval", "60s", *options)
    wait_until(lambda: len(health(rootless)["Log"]) >= 3, "three failures")
    assert (health(rootless)["Status"], health(rootless)["FailingStreak"]) == ("starting", 0)
    rootless("exec", "web", "touch", "/up")
    until(rootless, "healthy")
    rootless("rm", "-f", "web")


def test_a_check_that_hangs_is_killed(rootless: Rootless, busybox_image: str) -> None:
    start(
        rootless, busybox_image, "echo before; sleep 77", "--health-timeout", "500ms", "--health-interval", "200ms",
        "--health-retries", "1",
    )  # fmt: skip
    found = until(rootless, "unhealthy")
    assert found["Log"][-1]["ExitCode"] == -1
    assert found["Log"][-1]["Output"].startswith("Health check exceeded timeout (500ms)")
    rootless("rm", "-f", "web")


def test_stop_does_not_wait_for_a_check(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sleep 1077", "--health-interval", "100ms", "--health-timeout", "1h")
    wait_until(lambda: "sleep 1077" in rootless("top", "web").stdout, "a check that runs")
    rootless("stop", "-t", "0", "web")
    wait_until(lambda: not processes_of("health-check"), "the end of the check")
    assert not health(rootless)["Log"]
    rootless("rm", "web")


def processes_of(word: str) -> list[processes.Process]:
    return [each for each in processes.descendants().values() if word in each.command]


def test_long_output_is_cut(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "yes | head -c 100000", *FAST)
    output = until(rootless, "healthy")["Log"][-1]["Output"]
    assert len(output) == 4096 + 3
    assert output.endswith("...")
    rootless("rm", "-f", "web")


def test_a_paused_container_is_not_checked(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "true", *FAST)
    until(rootless, "healthy")
    if rootless("pause", "web", status=None).status == 0:
        before = health(rootless)["Log"]
        time.sleep(1)
        assert health(rootless)["Log"][-1] in (before[-1], *health(rootless)["Log"][-2:])
        assert health(rootless)["Status"] == "healthy"
        rootless("unpause", "web")
    rootless("rm", "-f", "web")


@pytest.mark.parametrize(("action", "state"), [("kill", "exited"), ("stop", "exited"), ("restart", "running")])
def test_on_failure(rootless: Rootless, busybox_image: str, action: str, state: str) -> None:
    start(
        rootless, busybox_image, "false", "--health-interval", "1s", "--health-retries", "1", "--health-on-failure",
        action, "--stop-timeout", "0", script="date +%N; sleep 1000",
    )  # fmt: skip
    if state == "running":
        wait_until(lambda: len(rootless("logs", "web").lines) >= 2, "the second start")
    else:
        wait_until(
            lambda: rootless("inspect", "-f", "{{.State.Status}}", "web").stdout.strip() == state, state
        )
    rootless("rm", "-f", "web")


def test_kill_and_a_policy(rootless: Rootless, busybox_image: str) -> None:
    """A container that kills itself by its check is one that failed: --restart brings it back."""
    start(
        rootless, busybox_image, "false", "--health-interval", "500ms", "--health-retries", "1",
        "--health-on-failure", "kill", "--restart", "on-failure", script="echo run; sleep 1000",
    )  # fmt: skip
    wait_until(lambda: len(rootless("logs", "web").lines) >= 2, "the restart")
    rootless("rm", "-f", "web")


def test_by_hand(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "test -e /up", "--health-interval", "1h")
    assert rootless("healthcheck", "run", "web", status=1).stdout == "unhealthy\n"
    rootless("exec", "web", "touch", "/up")
    rootless("healthcheck", "run", "web")
    assert health(rootless)["Status"] == "healthy"
    rootless("stop", "-t", "0", "web")
    assert "not running" in rootless("healthcheck", "run", "web", status=125).stderr
    rootless("rm", "web")
    rootless("run", "-d", "--name", "web", "--network", "none", busybox_image, "sleep", "1000")
    assert "no defined healthcheck" in rootless("healthcheck", "run", "web", status=125).stderr
    rootless("rm", "-f", "web")


@pytest.mark.own_store
def test_the_image_says_how(rootless: Rootless, busybox_image: str, tmp_path: Any) -> None:
    layer = images.busybox_layer(images.static_busybox())
    check = {"Test": ["CMD", "test", "-e", "/bin/sh"], "Interval": 300_000_000, "Retries": 1}
    config: dict[str, object] = {"Healthcheck": check}
    (tmp_path / "image.tar").write_bytes(images.docker_archive("checked:latest", [layer], config))
    rootless("load", "-i", tmp_path / "image.tar")
    rootless("run", "-d", "--name", "web", "--network", "none", "checked", "sleep", "1000")
    until(rootless, "healthy")
    rootless("rm", "-f", "web")
    rootless("run", "-d", "--name", "web", "--network", "none", "--no-healthcheck", "checked", "sleep", "1000")
    assert "Health" not in json.loads(rootless("inspect", "web").stdout)[0]["State"]
    assert "health" not in shown(rootless)
    rootless("rm", "-f", "web")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--no-healthcheck", "--health-cmd", "true"), "conflicts"),
        (("--health-cmd", "true", "--health-interval", "soon"), "--health-interval"),
        (("--health-cmd", "true", "--health-retries", "-1"), "cannot be negative"),
        (("--health-cmd", "true", "--health-timeout", "1us"), "1ms"),
        (("--health-cmd", "true", "--health-on-failure", "cry"), "must be one of"),
    ],
)
def test_nonsense_is_refused(
    rootless: Rootless, busybox_image: str, words: tuple[str, ...], told: str
) -> None:
    assert told in rootless("run", *words, busybox_image, "true", status=125).stderr
    assert rootless("ps", "-aq").stdout == ""
