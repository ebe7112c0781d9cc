"""Sessions of the test's own, and their holders."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from rootless.linux import process
from rootless.session import connection, session
from rootless.session.session import Session
from tests.harness.forked import forked
from tests.session.conftest import Places, use

USER = "/proc/self/ns/user"


def join_in_child(places: Places) -> tuple[Session, int]:
    """(session, inode of its namespace) as a command would join it."""

    def child() -> tuple[Session, int]:
        use(places)
        return session.join(), os.stat(USER).st_ino

    return forked(child)


def holder_pid(places: Places) -> int:
    holder = connection.ask_holder(str(places.runtime))
    os.close(holder.namespace_fd)
    return holder.holder_pid


def holders(inode: int) -> list[int]:
    """Living processes in that user namespace."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{entry}/ns/user").st_ino == inode:
                found.append(int(entry))
        except OSError:
            continue
    return found


def listening(places: Places) -> int:
    """How many sockets listen there, also those that have lost their name: one per holder."""
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return sum(
        len(words) == 8 and words[3] == "00010000" and words[7].startswith(f"{places.runtime}/")
        for words in sockets
    )


def holder_count(inode: int) -> int:
    """How many are left in that namespace when forks on their way out have gone."""
    deadline = time.monotonic() + 2
    while len(holders(inode)) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(holders(inode))


def kill_and_wait(pid: int) -> None:
    started = process.start_time(pid)
    os.kill(pid, signal.SIGKILL)
    while process.alive(pid, started):
        time.sleep(0.01)
