"""Signals as `kill` and --stop-signal take them. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.linux.signals import signal_number


def parse_signal(word: str) -> int:
    """The number of "SIGTERM", "term", "15" or "RTMIN+3"; InvalidInput, also for 0, which only asks."""
    try:
        found = signal_number(word)
    except ValueError:
        found = 0
    if not found:
        raise InvalidInput(f"invalid signal: {word}")
    return found
