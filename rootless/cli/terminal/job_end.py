"""The end of a batch job, as its commands have it: SIGTERM, and SIGKILL to all of the job some time later.

A container whose PID 1 does not listen would cost the job all of that time, and what is then killed cannot tidy up: in a job the
container is killed --stop-timeout after its SIGTERM. Elsewhere a signal is passed on and nothing else, as Docker's. Hot path.
"""

from __future__ import annotations

from rootless import paths
from rootless.linux import signal
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_TIMEOUT_S = 10
"""Docker's."""


def forwarder(send: Callable[[int], object], stop_timeout_s: int | None) -> Callable[[int], object]:
    """`send`, for signals that come to us, by way of a timer where we are in a job. -1 s: no timer."""
    wait_s = STOP_TIMEOUT_S if stop_timeout_s is None else stop_timeout_s
    if wait_s < 0 or not paths.job():
        return send
    ending = False

    def forward(number: int) -> None:
        nonlocal ending
        if ending and number == signal.SIGALRM:
            send(signal.SIGKILL)
            return
        send(number)
        if number == signal.SIGTERM and not ending:
            ending = True
            # 0 would switch it off.
            signal.setitimer(signal.ITIMER_REAL, max(wait_s, 0.001))

    return forward
