"""Sizes and times in Docker's words (docker/go-units). No datetime, no regular expressions. Hot path."""

from __future__ import annotations

import time

from rootless.engine.options.ages import ago as ago
from rootless.engine.options.ages import human_duration as human_duration
from rootless.engine.options.ages import parse_time as parse_time

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


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


def local_time(moment: float) -> str:
    """As Docker lists it: `2026-01-02 03:04:05 +0100 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def local_rfc3339(moment: float) -> str:
    """`2026-01-02T03:04:05+01:00`, with Z for UTC."""
    here = time.localtime(moment)
    zone = time.strftime("%z", here)
    return time.strftime("%Y-%m-%dT%H:%M:%S", here) + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")
