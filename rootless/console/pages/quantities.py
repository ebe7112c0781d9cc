"""Sizes, numbers of processors, restart policies, as the command line has them. Pure."""

from __future__ import annotations

import re

from rootless.console.request import Problem

RESTARTS = ("no", "on-failure", "unless-stopped", "always")
_SIZE = re.compile(r"([0-9]{1,15})([kmg]?)b?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def memory(text: str) -> int:
    """Bytes of `512m`; 0 of nothing. Problem."""
    if not text:
        return 0
    found = _SIZE.fullmatch(text)
    if not found:
        raise Problem(400, f"no size: {text}; write 512m or 2g")
    return int(found[1]) * _UNITS[found[2].lower()]


def nanocpus(text: str) -> int:
    """Billionths of a processor of `1.5`; 0 of nothing. Problem."""
    try:
        count = float(text or 0)
    except ValueError:
        count = -1.0
    if not 0 <= count < 10_000:
        raise Problem(400, f"no number of processors: {text}; write 1.5")
    return round(count * 1e9)
