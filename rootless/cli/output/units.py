"""Sizes and times in Docker's words (docker/go-units). No datetime, no regular expressions. Hot path."""

from __future__ import annotations

import time

from rootless.engine.options.ages import ago, human_duration, parse_time
from rootless.sizes import binary as binary_size
from rootless.sizes import decimal
from rootless.sizes import decimal as human_size_short

__all__ = ("ago", "binary_size", "human_duration", "human_size", "human_size_short", "local_rfc3339", "local_time", "parse_time")


def human_size(size_bytes: float) -> str:
    """Decimal units, up to four significant digits: 0B, 999B, 1kB, 1.024kB, 77.8MB."""
    return decimal(size_bytes, ".4g")


def local_time(moment: float) -> str:
    """As Docker lists it: `2026-01-02 03:04:05 +0100 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def local_rfc3339(moment: float) -> str:
    """`2026-01-02T03:04:05+01:00`, with Z for UTC."""
    here = time.localtime(moment)
    zone = time.strftime("%z", here)
    return time.strftime("%Y-%m-%dT%H:%M:%S", here) + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")
