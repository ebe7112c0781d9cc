"""Processes below this one, found whatever user they run as and however they detached.

The test process is a child subreaper (`adopt_orphans`): what a command leaves behind becomes its
child, so a walk over the parents in /proc finds every monitor, container and network helper,
also those whose environment another uid keeps unreadable.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One line of the process table; `start_time` in ticks makes the pid unmistakable."""

    pid: int
    parent: int
    start_time: int
    state: str
    command: str


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


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
    """All processes below this one, by (pid, start time)."""
    everyone = table()
    children: dict[int, list[int]] = {}
    for process in everyone.values():
        children.setdefault(process.parent, []).append(process.pid)
    found = {}
    pending = list(children.get(os.getpid(), []))
    while pending:
        pid = pending.pop()
        process = everyone[pid]
        found[pid, process.start_time] = process
        pending += children.get(pid, [])
    return found


def reap() -> None:
    """Collect the exit status of orphans that ended; subprocess copes with its own being gone."""
    for process in descendants().values():
        if process.state == "Z" and process.parent == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def end(process: Process, *, patience_s: float = 2.0) -> None:
    """SIGTERM, then SIGKILL, to this very process (and none that has its pid since)."""
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        with contextlib.suppress(OSError):
            if _read(process.pid).start_time == process.start_time:
                os.kill(process.pid, number)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            reap()
            if (process.pid, process.start_time) not in descendants():
                return
            time.sleep(0.01)


def wait_until(condition: Callable[[], object], what: str, *, timeout_s: float = 10.0) -> None:
    """Poll until `condition()` is true; AssertionError naming `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)
