"""The rules of restarts and health checks, as pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.engine.options.health import NOTHING_ASKED, SECOND_NS, HealthRequest, merge
from rootless.engine.state import health, restart
from rootless.image.run_config import RunConfig, read
from rootless.storage.containers.restart import RestartState, comes_back, starts_at_boot


def test_backoff_is_dockers() -> None:
    delays, last = [], 0
    for _ in range(12):
        last = restart.next_delay_ms(last, ran_s=1)
        delays.append(last)
    assert delays == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]
    assert restart.next_delay_ms(60_000, ran_s=10) == 100


@pytest.mark.parametrize(
    ("policy", "code", "back", "at_boot"),
    [
        (RestartState("no"), 1, False, False),
        (RestartState("always"), 0, True, True),
        (RestartState("always", cancelled=True, stopped=True), 0, False, True),
        (RestartState("unless-stopped"), 0, True, True),
        (RestartState("unless-stopped", cancelled=True, stopped=True), 0, False, False),
        (RestartState("unless-stopped", cancelled=True), 0, False, True),
        (RestartState("on-failure"), 0, False, False),
        (RestartState("on-failure", restarts=1000), 1, True, True),
        (RestartState("on-failure", 3, restarts=2), 1, True, True),
        (RestartState("on-failure", 3, restarts=3), 1, False, False),
    ],
)
def test_who_comes_back(policy: RestartState, code: int, back: bool, at_boot: bool) -> None:
    assert comes_back(policy, code) is back
    assert starts_at_boot(policy, code) is at_boot


def test_the_check_is_the_users_then_the_images_then_dockers() -> None:
    said = {"Test": ["CMD-SHELL", "curl x"], "Interval": 7 * SECOND_NS, "Retries": 9}
    image = read({"Healthcheck": said, "Shell": ["/bin/bash", "-c"]})
    asked: HealthRequest = {**NOTHING_ASKED, "retries": 2, "timeout_ns": 0}
    found = merge(asked, image)
    assert found is not None
    assert found["argv"] == ["/bin/bash", "-c", "curl x"]
    assert (found["interval_ns"], found["retries"], found["timeout_ns"]) == (7 * SECOND_NS, 2, 30 * SECOND_NS)
    assert merge({**NOTHING_ASKED, "test": ["NONE"]}, image) is None
    assert merge(NOTHING_ASKED, read({"Healthcheck": {"Test": ["NONE"]}})) is None
    # Docker: an unknown kind is no check.
    assert merge(NOTHING_ASKED, read({"Healthcheck": {"Test": ["true"]}})) is None
    assert merge(NOTHING_ASKED, RunConfig()) is None
    assert merge(asked, RunConfig()) is None


STATE = {"pid": 5, "start_time": 6, "started_at": "2026-01-02T03:04:05Z"}


def result(code: int, second: int = 5) -> dict[str, Any]:
    return {"Start": f"2026-01-02T03:05:{second:02}Z", "End": "", "ExitCode": code, "Output": ""}


def test_health_is_judged_as_docker_does() -> None:
    check = merge({**NOTHING_ASKED, "test": ["CMD-SHELL", "x"], "retries": 2, "start_period_ns": 120 * SECOND_NS}, RunConfig())
    assert check is not None
    seen = health.judge({}, result(1), check, STATE)
    assert (seen["status"], seen["failing_streak"]) == ("starting", 0)
    seen = health.judge(seen, result(1, 59), check, STATE)
    assert (seen["status"], seen["failing_streak"]) == ("starting", 0)
    seen = health.judge(seen, result(0), check, STATE)
    assert seen["status"] == "healthy"
    seen = health.judge(seen, result(1), check, STATE)  # it was healthy: the start period is over
    assert (seen["status"], seen["failing_streak"]) == ("healthy", 1)
    seen = health.judge(seen, result(-1), check, STATE)
    assert (seen["status"], seen["failing_streak"]) == ("unhealthy", 2)
    for _ in range(5):
        seen = health.judge(seen, result(0), check, STATE)
    assert len(seen["log"]) == 5
    again = health.judge(seen, result(1), check, {**STATE, "pid": 7})  # another run
    assert (again["status"], again["failing_streak"]) == ("starting", 0)
