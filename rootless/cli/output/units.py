"""Sizes and times in Docker's words (docker/go-units). No datetime, no regular expressions. Hot path."""

from __future__ import annotations

import time

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_ZERO_TIME = -62135596800
"""0001-01-01T00:00:00Z, which stands for "never"."""


def human_size(size_bytes: float, *, precision: int = 4) -> str:
    """Decimal units, up to four significant digits: 0B, 999B, 1kB, 1.024kB, 77.8MB."""
    return _scaled(size_bytes, 1000.0, _DECIMAL, precision)


def human_size_short(size_bytes: float) -> str:
    """Three significant digits, as lists of images and disk usage have it: 77.8MB, 1.02kB."""
    return human_size(size_bytes, precision=3)


def binary_size(size_bytes: float) -> str:
    """Binary units, up to four significant digits: 15.61GiB."""
    return _scaled(size_bytes, 1024.0, _BINARY, 4)


def _scaled(size: float, base: float, units: tuple[str, ...], precision: int) -> str:
    step = 0
    while size >= base and step < len(units) - 1:
        size /= base
        step += 1
    return f"{size:.{precision}g}{units[step]}"


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
    from rootless.engine.options.clock import to_nanoseconds

    return to_nanoseconds(text) / 1e9


def local_time(moment: float) -> str:
    """As Docker lists it: `2026-01-02 03:04:05 +0100 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def local_rfc3339(moment: float) -> str:
    """`2026-01-02T03:04:05+01:00`, with Z for UTC."""
    here = time.localtime(moment)
    zone = time.strftime("%z", here)
    return time.strftime("%Y-%m-%dT%H:%M:%S", here) + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")
