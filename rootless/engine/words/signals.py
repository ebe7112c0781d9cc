"""Names and numbers of signals, as `kill` and --stop-signal take them. HOT."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.linux import signal


def parse_signal(word: str) -> int:
    """The number of "SIGTERM", "term", "15" or "RTMIN+3"; raises InvalidInput."""
    name = word.upper().removeprefix("SIG")
    if name.isdigit() and 0 < int(name) < signal.NSIG:
        return int(name)
    found = getattr(signal, "SIG" + name, None)
    if isinstance(found, int) and name[0] != "_":
        return int(found)
    base, plus, offset = name.partition("+")
    if base == "RTMIN" and plus and offset.isdigit() and signal.SIGRTMIN + int(offset) <= signal.SIGRTMAX:
        return signal.SIGRTMIN + int(offset)
    base, minus, offset = name.partition("-")
    if base == "RTMAX" and minus and offset.isdigit() and signal.SIGRTMAX - int(offset) >= signal.SIGRTMIN:
        return signal.SIGRTMAX - int(offset)
    raise InvalidInput(f"invalid signal: {word}")
