"""Names and numbers of signals: signal(7), and real-time ones as `kill -l` has them. Hot path."""

from __future__ import annotations

from rootless.linux import signal

SENT_TO_JOBS = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU,
    signal.SIGIO, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPWR,
)  # fmt: skip
"""What a batch system sends to every process of a job, at its end or as its user has asked. Servers that a container depends on
are to go on until the container has ended: helpers/lib/signals.h."""


def ignore_sent_to_jobs() -> None:
    """And so does the program that this process is about to execute: libfuse, for one, takes no signal that is ignored when it begins."""
    for number in SENT_TO_JOBS:
        signal.signal(number, signal.SIG_IGN)


def signal_number(word: str) -> int:
    """The number of "SIGTERM", "term", "15", "0", "RTMIN+3" or "RTMAX-1"; ValueError for what is none."""
    name = word.upper().removeprefix("SIG")
    if 0 <= _number(name) < signal.NSIG:
        return int(name)
    found = getattr(signal, "SIG" + name, None)
    if isinstance(found, int) and name[:1] not in ("", "_"):
        return int(found)
    for base, sign, first in (("RTMIN", "+", signal.SIGRTMIN), ("RTMAX", "-", signal.SIGRTMAX)):
        offset = _number(name.removeprefix(base + sign))
        if name.startswith(base + sign) and 0 <= offset <= signal.SIGRTMAX - signal.SIGRTMIN:
            return first + offset if sign == "+" else first - offset
    raise ValueError(word)


def _number(word: str) -> int:
    """The number of a short decimal word, -1 for what is none."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 4 else -1
