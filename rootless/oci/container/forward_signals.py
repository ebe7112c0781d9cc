"""Signals sent to `run` and `exec`, handed on to the container's process. Hot path."""

from __future__ import annotations

from rootless.linux import signal

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def forward_signals(pidfd: int) -> None:
    """From now on hand the signals that we get to the process of `pidfd`, which stays open."""

    def forward(number: int, _frame: object) -> None:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass

    for number in FORWARDED:
        signal.signal(number, forward)
