"""Published sockets of a running container, from the monitor that holds them.

The supervisor has bound them and leaves them to the monitor that it becomes, as plain descriptors: so they stay bound, and
their queues of connections stay, while netd is killed and started again. `connect`, `disconnect` and the repair take
copies out of the monitor. Not kept in flight, in the queue of a socket: descriptors there count against the soft limit of
open files of whoever sends one, and from 1,024 on no program of the user's could send any.
"""

from __future__ import annotations

import os

from rootless.linux import process
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def of_monitor(pid: int, numbers: Sequence[int]) -> list[int]:
    """Copies of the descriptors `numbers` of the monitor `pid`, the caller's; the caller, in the session, has checked that
    the process is the monitor. OSError: it has ended."""
    found: list[int] = []
    pidfd = os.pidfd_open(pid)
    try:
        for number in numbers:
            found.append(process.pidfd_getfd(pidfd, number))
        return found
    except BaseException:
        for fd in found:
            os.close(fd)
        raise
    finally:
        os.close(pidfd)
