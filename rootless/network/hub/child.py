"""Work in the hub or in a container's network namespace, done by a forked child.

A process that has entered another network namespace cannot come back to the host's, which belongs to another
user namespace. The caller has joined the session and has one thread.
"""

from __future__ import annotations

import os

from rootless.errors import FAILURES
from rootless.linux.namespace import CLONE_NEWNET, setns
from rootless.linux.process import set_pdeathsig
from rootless.record import TYPE_CHECKING
from rootless.runtime import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rootless.runtime.sync import Message


def run(work: Callable[[], tuple[dict[str, Any], Sequence[int]]], *, step: str) -> Message:
    """What `work` returns in a child, data and descriptors, the caller's to close; what it raises is raised here."""
    ours, theirs = sync.pair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            set_pdeathsig(9)
            data, fds = work()
            theirs.send("done", data, tuple(fds))
        except FAILURES as error:
            theirs.send_error(error, step=step)
        finally:
            os._exit(0)
    theirs.close()
    try:
        return ours.expect("done")
    finally:
        ours.close()
        os.waitpid(child, 0)


def enter(network: int) -> None:
    """In the child: go into a network namespace."""
    setns(network, CLONE_NEWNET)


def set_variable(path: str, value: str) -> None:
    """In the child: set a kernel variable of the network namespace that it is in, `path` below /proc/sys/net. OSError."""
    fd = os.open(f"/proc/sys/net/{path}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
