"""`stats`: what running containers use, in Docker's figures."""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

from rootless.cgroup import stats
from rootless.cgroup.stats import CgroupUsage
from rootless.engine.state import running
from rootless.engine.state.processes import pids
from rootless.errors import NotFound
from rootless.storage.containers import containers
from rootless.storage.store import Store


class Sample(NamedTuple):
    """A container at one moment; `usage` None: it does not run. `at` in seconds of the monotonic clock."""

    id: str
    name: str
    at: float
    usage: CgroupUsage | None


class Figures(NamedTuple):
    """One line of `stats`; None where the container does not run. `cpu_percent` of one processor is 100."""

    id: str
    name: str
    cpu_percent: float
    limit_bytes: int
    usage: CgroupUsage | None

    @property
    def memory_percent(self) -> float:
        """Of the container's limit, or of the machine's memory."""
        return 100.0 * self.usage.memory_bytes / self.limit_bytes if self.usage and self.limit_bytes else 0.0


def sample(store: Store, identifiers: list[str]) -> list[Sample]:
    """All of them now; those that are gone are left out."""
    names = containers.names(store)
    found = []
    every = _pids_by_namespace() if len(identifiers) > 4 else None
    for identifier in identifiers:
        try:
            one = running.find(store, identifier)
        except NotFound:
            continue
        usage = None
        if one is not None:
            with one:
                usage = _usage(one, every)
        found.append(Sample(identifier, names.get(identifier, identifier[:12]), time.monotonic(), usage))
    return found


class Counted(NamedTuple):
    """What of a container is counted: its cgroup, "" for none, the processes to look at, PID 1 first, and whether its
    network is its own."""

    cgroup: str
    pids: list[int]
    own_network: bool


def _usage(one: running.RunningContainer, every: dict[int, list[int]] | None) -> CgroupUsage | None:
    found = counted(one, every)
    return None if found is None else stats.usage(found.cgroup, found.pids, own_network=found.own_network)


def counted(one: running.RunningContainer, every: dict[int, list[int]] | None = None) -> Counted | None:
    """What there is to look at; None where it has ended. `every`: all processes by pid namespace, if known."""
    path = str(one.state.get("cgroup") or "")
    try:
        own = os.stat(f"/proc/{one.pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino
        namespace = os.stat(f"/proc/{one.pid}/ns/pid").st_ino
    except FileNotFoundError:
        return None
    if path and os.path.exists(path + "/memory.current") and os.path.exists(path + "/pids.current"):
        processes = [one.pid]
    elif every is not None and namespace != os.stat("/proc/self/ns/pid").st_ino:
        processes = [one.pid] + [pid for pid in every.get(namespace, []) if pid != one.pid]
    else:
        processes = pids(one.pid)
    return Counted(path, processes, own)


def _pids_by_namespace() -> dict[int, list[int]]:
    """All processes that we may look at: for many containers, /proc is read once."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.setdefault(os.stat(f"/proc/{entry}/ns/pid").st_ino, []).append(int(entry))
            except OSError:
                continue
    return found


def compare(before: list[Sample], after: list[Sample]) -> list[Figures]:
    """The figures of `after`, processor time since `before`. Pure but for the machine's memory."""
    earlier = {one.id: one for one in before}
    total = stats.memory_total_bytes()
    found = []
    for one in after:
        percent = 0.0
        last = earlier.get(one.id)
        if one.usage and last and last.usage and one.at > last.at:
            percent = (one.usage.cpu_us - last.usage.cpu_us) / 10_000 / (one.at - last.at)
        limit = min(one.usage.limit_bytes or total, total) if one.usage else 0
        found.append(Figures(one.id, one.name, max(0.0, percent), limit, one.usage))
    return found


def selected(store: Store, references: list[str], *, every: bool) -> list[str]:
    """The ids: of those named, else of all that run (`every`: of all)."""
    if references:
        return [containers.find(store, reference) for reference in references]
    states = ("running", "paused")
    return [one for one in containers.ids(store) if every or _state(store, one) in states]


def _state(store: Store, identifier: str) -> Any:
    try:
        return containers.status(store, identifier).state
    except NotFound:
        return ""
