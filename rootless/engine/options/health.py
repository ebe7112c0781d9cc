"""Health checks as words and as data: --health-*, the image's HEALTHCHECK, what the record keeps.

Docker's meaning and defaults; times are nanoseconds, as in Docker's and the OCI's documents. Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from typing import Any

    from rootless.image.run_config import RunConfig

SECOND_NS = 1_000_000_000
DEFAULT_INTERVAL_NS, DEFAULT_TIMEOUT_NS, DEFAULT_START_INTERVAL_NS = 30 * SECOND_NS, 30 * SECOND_NS, 5 * SECOND_NS
DEFAULT_RETRIES = 3
ON_FAILURE = ("none", "kill", "restart", "stop")
SHORTEST_NS = 1_000_000


class Healthcheck(TypedDict):
    """Docker's HealthConfig, all values in force, and the `argv` to run. `on_failure` is podman's."""

    test: list[str]
    argv: list[str]
    interval_ns: int
    timeout_ns: int
    start_period_ns: int
    start_interval_ns: int
    retries: int
    on_failure: str


class HealthRequest(TypedDict):
    """What was asked for; None and [] leave it to the image. `test` is ["NONE"], ["CMD-SHELL", ...] or []."""

    test: list[str]
    interval_ns: int | None
    timeout_ns: int | None
    start_period_ns: int | None
    start_interval_ns: int | None
    retries: int | None
    on_failure: str


NOTHING_ASKED: HealthRequest = {
    "test": [],
    "interval_ns": None,
    "timeout_ns": None,
    "start_period_ns": None,
    "start_interval_ns": None,
    "retries": None,
    "on_failure": "none",
}


def duration(word: str, *, name: str) -> int:
    """Nanoseconds of a --health-* duration; 0 is the default's place, as in Docker."""
    from rootless.engine.options.values import parse_duration

    found = 0 if word == "0" else int(parse_duration(word, name=name) * SECOND_NS)
    if found and found < SHORTEST_NS:
        raise InvalidInput(f"{name} cannot be less than 1ms")
    return found


def merge(asked: HealthRequest, image: RunConfig) -> Healthcheck | None:
    """The check of a container; None for none. The image's SHELL is for CMD-SHELL.

    As Docker's merge: what was not asked for is the image's; where neither says it, the default. A kind that is
    neither CMD nor CMD-SHELL is no check, as there.
    """
    test: list[str] = asked["test"] or [word.text for word in image.health_test]
    argv: list[str] = []
    if test[:1] == ["CMD-SHELL"]:
        argv = [*([word.text for word in image.shell] or ["/bin/sh", "-c"]), *test[1:2]]
    elif test[:1] == ["CMD"]:
        argv = test[1:]
    if not argv or (test[0] == "CMD-SHELL" and not "".join(test[1:])):
        return None

    def value(asked_for: int | None, key: str, default: int) -> int:
        if asked_for:
            return asked_for
        found = image.health_numbers.get(key, 0)
        return found if found > 0 else default

    return {
        "test": test,
        "argv": argv,
        "interval_ns": value(asked["interval_ns"], "Interval", DEFAULT_INTERVAL_NS),
        "timeout_ns": value(asked["timeout_ns"], "Timeout", DEFAULT_TIMEOUT_NS),
        "start_period_ns": value(asked["start_period_ns"], "StartPeriod", 0),
        "start_interval_ns": value(asked["start_interval_ns"], "StartInterval", DEFAULT_START_INTERVAL_NS),
        "retries": value(asked["retries"], "Retries", DEFAULT_RETRIES),
        "on_failure": asked["on_failure"],
    }


def first_delay_ns(check: Healthcheck) -> int:
    """From the start to the first check."""
    return check["start_interval_ns"] if check["start_period_ns"] else check["interval_ns"]


def to_docker(check: Healthcheck) -> dict[str, Any]:
    """As Docker's HealthConfig, which images and `inspect` have."""
    return {
        "Test": check["test"],
        "Interval": check["interval_ns"],
        "Timeout": check["timeout_ns"],
        "StartPeriod": check["start_period_ns"],
        "StartInterval": check["start_interval_ns"],
        "Retries": check["retries"],
    }
