"""`pause` and `unpause`: all processes of a container halted, and let go on. Hot path."""

from __future__ import annotations

import errno
import os

from rootless.cgroup import cgroupfs
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.engine.state.processes import pids
from rootless.errors import Conflict, RootlessError
from rootless.linux import signal
from rootless.storage.containers import containers, paused
from rootless.storage.store import Store


def pause(store: Store, identifier: str) -> None:
    """Halt all processes of the container; Conflict where it does not run or is paused."""
    with containers.lock(store, identifier), running.require(store, identifier) as found:
        if found.state.get("paused"):
            raise Conflict(f"Container {identifier} is already paused")
        # Recorded first: a kill between must not leave a halted container that counts as running.
        paused.write(containers.directory(store, identifier), found.state, paused=True)
        try:
            _halt(found)
        except RootlessError:
            paused.write(containers.directory(store, identifier), found.state, paused=False)
            raise
        events.container(store, "pause", read_config(store, identifier))


def unpause(store: Store, identifier: str) -> None:
    """Let a paused container go on; Conflict where it is not paused."""
    with containers.lock(store, identifier), running.require(store, identifier) as found:
        if not found.state.get("paused"):
            raise Conflict(f"Container {identifier} is not paused")
        thaw(found)
        paused.write(containers.directory(store, identifier), found.state, paused=False)
        events.container(store, "unpause", read_config(store, identifier))


def _halt(found: running.RunningContainer) -> None:
    """By the cgroup's freezer, which the container cannot undo; else by a signal to each process."""
    cgroup = str(found.state.get("cgroup") or "")
    if cgroupfs.can_freeze(cgroup):
        cgroupfs.freeze(cgroup, frozen=True)
        return
    if cgroup and not cgroupfs.exists(cgroup):
        raise cgroupfs.gone(cgroup, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    for pid in pids(found.pid):
        _signal(pid, signal.SIGSTOP)


def thaw(found: running.RunningContainer) -> None:
    """Let all processes of the container go on; records nothing."""
    cgroup = str(found.state.get("cgroup") or "")
    if cgroupfs.can_freeze(cgroup):
        cgroupfs.freeze(cgroup, frozen=False)
    else:
        for pid in pids(found.pid):
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
