"""Names and numbers of signals, as `kill` and --stop-signal take them. HOT."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.linux import signal


def parse_signal(word: str) -> int:
    """The number of "SIGTERM", "term", "15" or "RTMIN+3"; raises InvalidInput."""
    name = word.upper().removeprefix("SIG")
    if 0 < _number(name) < signal.NSIG:
        return int(name)
    found = getattr(signal, "SIG" + name, None)
    if isinstance(found, int) and name[:1] not in ("", "_"):
        return int(found)
    base, plus, offset = name.partition("+")
    if base == "RTMIN" and plus and 0 <= _number(offset) <= signal.SIGRTMAX - signal.SIGRTMIN:
        return signal.SIGRTMIN + int(offset)
    base, minus, offset = name.partition("-")
    if base == "RTMAX" and minus and 0 <= _number(offset) <= signal.SIGRTMAX - signal.SIGRTMIN:
        return signal.SIGRTMAX - int(offset)
    raise InvalidInput(f"invalid signal: {word}")


def _number(word: str) -> int:
    """The number of a short decimal word, -1 for what is none."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 4 else -1
