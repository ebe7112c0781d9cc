"""A bound on how long a command may wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.errors import Unavailable


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Unavailable, in Docker Compose's words, where it takes longer."""

    def over(number: int, frame: object) -> None:
        raise Unavailable(f"application not healthy after {seconds}s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
