"""Processes below this one, found whatever user they run as and however they detached.

`adopt_orphans` puts a small init between us and whoever started us: a child subreaper that
reaps, as a machine's init does. What a command leaves behind becomes its child, so a walk over the
parents in /proc finds every monitor, container and network helper, also those whose environment
another uid keeps unreadable. (It must reap: a pid namespace cannot end while a zombie is in it.)
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rootless.linux.signals import SENT_TO_JOBS

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One line of the process table; `start_time` in ticks makes the pid unmistakable."""

    pid: int
    parent: int
    start_time: int
    state: str
    command: str


def adopt_orphans() -> None:
    """Fork: the child goes on and returns, the parent is its init and ends with its status.

    For single-threaded processes, once.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        return
    # Ctrl-C reaches both, and the child has things to clear up; other endings are passed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: os.kill(pid, number))
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def table() -> dict[int, Process]:
    """Every process, by pid."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry)] = _read(int(entry))
    return found


def _read(pid: int) -> Process:
    # The name in parentheses may hold spaces and parentheses itself: split after the last one.
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    fields = rest.split()
    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    command = words.strip() or name.partition("(")[2]
    return Process(pid, int(fields[1]), int(fields[19]), fields[0], command)


def descendants() -> dict[tuple[int, int], Process]:
    """All living processes below our init but ourselves, by (pid, start time)."""
    everyone = table()
    children: dict[int, list[int]] = {}
    for process in everyone.values():
        children.setdefault(process.parent, []).append(process.pid)
    found = {}
    pending = [*children.get(os.getppid(), ()), *children.get(os.getpid(), ())]
    while pending:
        pid = pending.pop()
        process = everyone[pid]
        if pid != os.getpid():
            pending += children.get(pid, [])
            if process.state != "Z":
                found[pid, process.start_time] = process
    return found


def end(process: Process, *, patience_s: float = 2.0) -> None:
    """SIGTERM, then SIGKILL, to this very process (and none that has its pid since)."""
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        with contextlib.suppress(OSError):
            if _read(process.pid).start_time == process.start_time:
                os.kill(process.pid, number)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if (process.pid, process.start_time) not in descendants():
                return
            time.sleep(0.01)


def signal_as_of_a_job(*pids: int) -> None:
    """All that a batch system sends to every process of a job, before it kills them."""
    for pid in pids:
        for number in SENT_TO_JOBS:
            os.kill(pid, number)


def wait_until(condition: Callable[[], object], what: str, *, timeout_s: float = 60.0) -> None:
    """Poll until `condition()` is true; AssertionError naming `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)


def wait_ended(pidfd: int, *, timeout_s: float = 60.0) -> None:
    """Wait until the process of `pidfd` has ended; AssertionError where it does not."""
    assert select.select([pidfd], [], [], timeout_s)[0], "the process has not ended"


def pause(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
