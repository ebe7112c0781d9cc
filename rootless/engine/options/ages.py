"""How long ago something was, in Docker's words (docker/go-units). Hot path."""

from __future__ import annotations

import time

from rootless.engine.options.clock import to_nanoseconds

_ZERO_TIME = -62135596800
"""0001-01-01T00:00:00Z, which stands for "never"."""


def human_duration(seconds: float) -> str:
    """`Less than a second`, `About a minute`, `3 hours`, `5 weeks`, `2 years`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / 3600 / 24 / 365)} years"


def ago(moment: float, *, now: float | None = None) -> str:
    """`2 minutes ago` for a time in seconds since 1970; `N/A` for never."""
    if moment <= _ZERO_TIME:
        return "N/A"
    return human_duration((time.time() if now is None else now) - moment) + " ago"


def parse_time(text: str) -> float:
    """RFC 3339 as seconds since 1970; InvalidInput otherwise."""
    return to_nanoseconds(text) / 1e9
