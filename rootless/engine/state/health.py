"""What is known of a container's health: health.json in its directory, and the rule that changes it.

Written by life/healthcheck.py after every check: who was checked (pid and start_time of PID 1), the
status, the failing streak and the last five results, as Docker's State.Health.
"""

from __future__ import annotations

from rootless import atomic
from rootless.engine.options import clock
from rootless.engine.options.health import Healthcheck
from rootless.engine.state.config import ContainerConfig
from rootless.record import TYPE_CHECKING
from rootless.storage import shape
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

FILE = "health.json"
LOG_ENTRIES = 5
STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"


def write(store: Store, identifier: str, health: dict[str, Any]) -> None:
    """Replace health.json. Not fsynced: after a power cut there is no run that it could be about."""
    atomic.write_json(f"{containers.directory(store, identifier)}/{FILE}", health, durable=False)


def read(store: Store, identifier: str) -> dict[str, Any]:
    """health.json; {} where no check has ended yet, or it is damaged."""
    try:
        return shape.read(f"{containers.directory(store, identifier)}/{FILE}", shape.HEALTH)
    except (FileNotFoundError, ValueError):
        return {}


def of(store: Store, record: ContainerConfig, state: dict[str, Any]) -> dict[str, Any] | None:
    """Docker's State.Health of the container whose state.json is `state`; None where it has no check."""
    if not record.get("healthcheck"):
        return None
    found = read(store, record["id"])
    if not _is_of(found, state):
        # Results of an earlier run stay readable, its verdict does not count.
        return {"Status": STARTING, "FailingStreak": 0, "Log": found.get("log") or []}
    return {
        "Status": found.get("status", STARTING),
        "FailingStreak": found.get("failing_streak", 0),
        "Log": found.get("log") or [],
    }


def _is_of(found: dict[str, Any], state: dict[str, Any]) -> bool:
    return (found.get("pid"), found.get("start_time")) == (state.get("pid"), state.get("start_time"))


def judge(
    before: dict[str, Any], result: dict[str, Any], healthcheck: Healthcheck, state: dict[str, Any]
) -> dict[str, Any]:
    """Docker's rule: what one more result makes of the container's health."""
    mine = _is_of(before, state)
    status = str(before.get("status", STARTING)) if mine else STARTING
    streak = int(before.get("failing_streak", 0)) if mine else 0
    if result["ExitCode"] == 0:
        status, streak = HEALTHY, 0
    else:
        age_ns = clock.to_nanoseconds(result["Start"]) - clock.to_nanoseconds(state["started_at"])
        # In its start period a container that was never healthy may fail.
        if status != STARTING or age_ns >= healthcheck["start_period_ns"]:
            streak += 1
            if streak >= healthcheck["retries"]:
                status = UNHEALTHY
    log = [*(before.get("log") or []), result][-LOG_ENTRIES:]
    return {
        "pid": state["pid"],
        "start_time": state["start_time"],
        "status": status,
        "failing_streak": streak,
        "log": log,
    }
