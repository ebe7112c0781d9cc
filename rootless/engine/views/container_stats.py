"""Docker's stats object (API v1.51, ContainerStatsResponse), once or each second.

    once(store, identifier)                         # stream=0: two samples, so that there is a difference to see
    once(store, identifier, one_shot=True)          # one-shot: a sample alone, precpu_stats all zero
    for document in follow(store, identifier, hangup=fd): ...

A container that does not run has its name and zeros, as Docker's.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from typing import Any

from rootless.cgroup import cgroupfs, stats
from rootless.engine.options import clock
from rootless.engine.state import running
from rootless.engine.views.stats import Counted, counted
from rootless.errors import NotFound
from rootless.storage.containers import containers
from rootless.storage.store import Store

INTERVAL_S = 1.0
"""Between two samples: clients blank a row after two seconds of silence."""
_NOTHING = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}
_OF_INTERFACES = ("bytes", "packets", "errors", "dropped")


def once(store: Store, identifier: str, *, one_shot: bool = False) -> dict[str, Any]:
    """One object. NotFound."""
    reader = StatsReader(store, identifier)
    first = reader.read()
    if one_shot or not first["pids_stats"]:
        return first
    time.sleep(INTERVAL_S)
    return reader.read()


def follow(store: Store, identifier: str, *, hangup: int | None = None) -> Iterator[dict[str, Any]]:
    """An object each second, until the container is removed, or `hangup`, a descriptor, is hung up from the other side,
    both directions. NotFound at first."""
    reader = StatsReader(store, identifier)
    poller = select.poll()
    if hangup is not None:
        poller.register(hangup, 0)
    due = time.monotonic()
    while True:
        try:
            yield reader.read()
        except NotFound:
            return
        due = max(due + INTERVAL_S, time.monotonic())
        if poller.poll(1000 * (due - time.monotonic())):
            return


class StatsReader:
    """Reads a container's figures again and again; each object has those of the one before as its precpu_stats."""

    def __init__(self, store: Store, identifier: str) -> None:
        self._store, self._identifier = store, identifier
        self._before: dict[str, Any] = _NOTHING
        self._read_at = clock.NEVER

    def read(self) -> dict[str, Any]:
        """The figures now. NotFound where the container is gone."""
        name = "/" + (containers.name_of(self._store, self._identifier) or self._identifier[:12])
        containers.status(self._store, self._identifier)  # NotFound
        figures: dict[str, Any] = {}
        found = running.find(self._store, self._identifier)
        if found is not None:
            with found:
                what = counted(found)
                figures = {} if what is None else _figures(what)
                if found.wait(0):
                    figures = {}  # its number, and those below it, may have been another's meanwhile
        if not figures:
            self._before, self._read_at = _NOTHING, clock.NEVER
            return {
                "name": name, "id": self._identifier, "read": clock.NEVER, "preread": clock.NEVER, "pids_stats": {},
                "blkio_stats": _blocks([]), "num_procs": 0, "storage_stats": {}, "cpu_stats": _NOTHING, "precpu_stats": _NOTHING,
                "memory_stats": {},
            }  # fmt: skip
        now = clock.now()
        document = {
            "name": name, "id": self._identifier, "read": now, "preread": self._read_at, "num_procs": 0, "storage_stats": {},
            "precpu_stats": self._before, **figures,
        }  # fmt: skip
        self._before, self._read_at = figures["cpu_stats"], now
        return document


def _figures(what: Counted) -> dict[str, Any]:
    usage = stats.usage(what.cgroup, what.pids, own_network=False)
    total = stats.memory_total_bytes()
    memory: dict[str, Any] = {"usage": usage.memory_bytes, "stats": {"inactive_file": 0}, "limit": min(usage.limit_bytes or total, total)}
    current = cgroupfs.read(what.cgroup, "memory.current") if what.cgroup else ""
    if current:
        # Clients take the reclaimable page cache, stats.inactive_file, off by themselves.
        memory |= {"usage": int(current), "stats": cgroupfs.events(what.cgroup, "memory.stat")}
    pids = {"current": usage.processes}
    if usage.processes_limit:
        pids["limit"] = usage.processes_limit
    figures: dict[str, Any] = {
        "pids_stats": pids, "blkio_stats": _blocks(stats.block_devices(what.cgroup)), "cpu_stats": _processor(what), "memory_stats": memory,
    }  # fmt: skip
    if what.own_network:
        figures["networks"] = {name: _interface(numbers) for name, numbers in stats.interfaces(what.pids[0]).items()}
    return figures


def _processor(what: Counted) -> dict[str, Any]:
    told = cgroupfs.events(what.cgroup, "cpu.stat") if what.cgroup else {}
    if "usage_usec" in told:
        usage, user, kernel = told["usage_usec"], told.get("user_usec", 0), told.get("system_usec", 0)
    else:
        each = [stats.processor_us(pid) for pid in what.pids]
        user, kernel = sum(one[0] for one in each), sum(one[1] for one in each)
        usage = user + kernel
    machine_ns, processors = stats.machine_processor()
    return {
        "cpu_usage": {"total_usage": usage * 1000, "usage_in_kernelmode": kernel * 1000, "usage_in_usermode": user * 1000},
        "system_cpu_usage": machine_ns,
        "online_cpus": processors,
        "throttling_data": {
            "periods": told.get("nr_periods", 0), "throttled_periods": told.get("nr_throttled", 0),
            "throttled_time": told.get("throttled_usec", 0) * 1000,
        },
    }  # fmt: skip


def _blocks(devices: list[tuple[int, int, int, int]]) -> dict[str, Any]:
    served = [
        {"major": major, "minor": minor, "op": op, "value": value}
        for major, minor, read, written in devices
        for op, value in (("read", read), ("write", written))
    ]
    others = ("io_serviced", "io_queue", "io_service_time", "io_wait_time", "io_merged", "io_time", "sectors")
    return {"io_service_bytes_recursive": served or None, **{f"{name}_recursive": None for name in others}}


def _interface(numbers: list[int]) -> dict[str, int]:
    received = {f"rx_{name}": numbers[at] for at, name in enumerate(_OF_INTERFACES)}
    return received | {f"tx_{name}": numbers[8 + at] for at, name in enumerate(_OF_INTERFACES)}
