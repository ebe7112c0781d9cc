"""Exceptions of signal handlers that Python loses: raised again, by real signals."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from rootless import interrupts
from rootless.api.http.exchange import ClientGone, Exchange


class Told(BaseException):
    pass


class Finalized:
    """Is told of a signal within its finalizer."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self._number)


def finalize_and_wait(kind: Callable[[], object]) -> None:
    """Make one, which ends at once; then wait for nothing, as who waits for a step."""
    kind()
    select.select([], [], [], 30)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def tell(_number: int, _frame: object) -> None:
    raise Told


def test_what_a_finalizer_loses_is_raised_again() -> None:
    signal.signal(signal.SIGUSR1, tell)
    end = interrupts.raise_again(Told, tell)
    try:
        with pytest.raises(Told):
            finalize_and_wait(lambda: Finalized(signal.SIGUSR1))
    finally:
        end()


def test_other_exceptions_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_type))
    signal.signal(signal.SIGUSR1, tell)
    end = interrupts.raise_again(KeyboardInterrupt, tell)
    Finalized(signal.SIGUSR1)
    end()
    assert (seen, signal.getitimer(signal.ITIMER_REAL)) == ([Told], (0, 0))


def test_a_client_that_goes_while_something_is_finalized_has_gone() -> None:
    """A fork's hooks and finalizers are where it was lost, once in a hundred builds, and the build went on for nobody."""
    ours, theirs = socket.socketpair()
    exchange = Exchange(ours, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    class Closing:
        def __del__(self) -> None:
            theirs.close()
            select.select([], [], [], 0)  # its signal is seen here

    with pytest.raises(ClientGone), exchange.watched():
        finalize_and_wait(Closing)
    ours.close()
