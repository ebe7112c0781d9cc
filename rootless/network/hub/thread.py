"""Work in the hub or in a container's network namespace, done by a thread.

A network namespace is a thread's (setns(2)), and one that has entered another cannot come back to the host's, which
belongs to another user namespace: so the thread ends with its work. A forked child could do the same, for three to five
milliseconds more at each start. The caller has joined the session, has no other threads, and waits.
"""

from __future__ import annotations

import _thread
import os

from rootless.errors import FAILURES, RootlessError, Unavailable, raise_data, to_data
from rootless.linux.namespace import CLONE_NEWNET, setns
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def run(work: Callable[[], T], *, step: str) -> T:
    """What `work` returns in a thread of its own; what it raises is raised here, an error of the kernel's with the step's
    name as a RootlessError. `work` forks nothing: its children would end with the thread (PR_SET_PDEATHSIG)."""
    returned: list[T] = []
    raised: list[Exception] = []
    ended = _thread.allocate_lock()

    def body() -> None:
        try:
            returned.append(work())
        except FAILURES as error:
            raised.append(error)
        finally:
            ended.release()

    ended.acquire()
    try:
        _thread.start_new_thread(body, ())
    except RuntimeError as error:
        raise Unavailable(f"{step}: {error}", hint="too many processes run: `ulimit -u` is the limit") from error
    ended.acquire()
    for each in raised:
        if isinstance(each, RootlessError):
            raise each
        raise_data(to_data(each, step=step))
    return returned[0]


def enter(network: int) -> None:
    """In the thread: go into a network namespace."""
    setns(network, CLONE_NEWNET)


def set_variable(path: str, value: str) -> None:
    """In the thread: set a kernel variable of the network namespace that it is in, `path` below /proc/sys/net. OSError."""
    fd = os.open(f"/proc/sys/net/{path}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
