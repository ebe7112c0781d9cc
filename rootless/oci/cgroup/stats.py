"""What a container's cgroup counts, in the words of runc's `events` (its types/events.go).

cgroup v2's figures, under the names that cgroup v1 had for them. A controller that the cgroup has not is a
key that is not there; the pressure (psi) is the kernel's own to tell, of a cgroup without controllers too.
"""

from __future__ import annotations

import os

from rootless.cgroup import cgroupfs
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_UNLIMITED = (1 << 64) - 1
# io.stat's words: which table of cgroup v1's, and which operation of it.
_BLOCKS = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
}


def statistics(path: str) -> dict[str, Any]:
    """The `data` of an event "stats" of the cgroup `path`; times in nanoseconds, those of psi in microseconds."""
    data: dict[str, Any] = {}
    if cpu := _cpu(path):
        data["cpu"] = cpu
    if memory := _memory(path):
        data["memory"] = memory
    if pids := _pids(path):
        data["pids"] = pids
    if os.path.exists(f"{path}/io.stat"):
        data["blkio"] = blkio(cgroupfs.read(path, "io.stat"))
    if huge := _hugetlb(path):
        data["hugetlb"] = huge
    for name, file in (("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("blkio", "io.pressure")):
        if psi := pressure(cgroupfs.read(path, file)):
            data.setdefault(name, {})["psi"] = psi
    return data


def _cpu(path: str) -> dict[str, Any]:
    found = cgroupfs.events(path, "cpu.stat")
    if "usage_usec" not in found:
        return {}
    return {
        "usage": {
            "total": found["usage_usec"] * 1000,
            "user": found.get("user_usec", 0) * 1000,
            "kernel": found.get("system_usec", 0) * 1000,
        },
        "throttling": {
            "periods": found.get("nr_periods", 0),
            "throttledPeriods": found.get("nr_throttled", 0),
            "throttledTime": found.get("throttled_usec", 0) * 1000,
        },
    }


def _memory(path: str) -> dict[str, Any]:
    usage = _entry(path, "memory")
    if not usage:
        return {}
    raw = cgroupfs.events(path, "memory.stat")
    found: dict[str, Any] = {"usage": usage, "raw": raw, "cache": raw.get("file", 0)}
    if swap := _entry(path, "memory.swap"):
        # cgroup v1 counted memory and swap together. The two peaks were not at the same time: no sum.
        swap.pop("max", None)
        swap["usage"] += usage["usage"]
        if swap["limit"] != _UNLIMITED:
            swap["limit"] = min(swap["limit"] + usage["limit"], _UNLIMITED)
        found["swap"] = swap
    return found


def _entry(path: str, name: str) -> dict[str, int]:
    usage = cgroupfs.read(path, f"{name}.current")
    if not usage:
        return {}
    limit = cgroupfs.read(path, f"{name}.max")
    found = {"usage": int(usage), "limit": int(limit) if limit.isdecimal() else _UNLIMITED}
    if peak := cgroupfs.read(path, f"{name}.peak"):  # Linux 5.19
        found["max"] = int(peak)
    return found


def _pids(path: str) -> dict[str, int]:
    current = cgroupfs.read(path, "pids.current")
    if not current:
        try:
            return {"current": len(cgroupfs.processes(path))}
        except OSError:  # gone
            return {}
    limit = cgroupfs.read(path, "pids.max")
    return {"current": int(current), **({"limit": int(limit)} if limit.isdecimal() else {})}


def blkio(text: str) -> dict[str, list[dict[str, Any]]]:
    """The text of io.stat: per device and operation. Pure."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for line in text.splitlines():
        device = ("", "")
        for word in line.split():
            major, colon, minor = word.partition(":")
            if colon and major.isdecimal() and minor.isdecimal():
                # Before Linux 6.1 a device of which there is nothing to say ends without a newline.
                device = (major, minor)
                continue
            key, _, value = word.partition("=")
            if key in _BLOCKS and device[0] and value.isdecimal():
                table, operation = _BLOCKS[key]
                entry = {"major": int(device[0]), "minor": int(device[1]), "op": operation, "value": int(value)}
                tables.setdefault(table, []).append(entry)
    return tables


def pressure(text: str) -> dict[str, dict[str, float | int]]:
    """The text of a *.pressure file: shares of time in percent, and the whole of it in microseconds. Pure."""
    found: dict[str, dict[str, float | int]] = {}
    for line in text.splitlines():
        kind, *words = line.split() or [""]
        if kind in ("some", "full"):
            pairs = (word.partition("=") for word in words)
            found[kind] = {key: int(value) if key == "total" else float(value) for key, _, value in pairs}
    return found


def _hugetlb(path: str) -> dict[str, dict[str, int]]:
    """Per size of huge pages. runc's `max` is the most there ever was, which cgroup v2 does not count."""
    found = {}
    try:
        names = sorted(os.listdir(path))
    except OSError:  # gone
        return {}
    for name in names:
        size = name.removeprefix("hugetlb.").removesuffix(".current")
        if name != f"hugetlb.{size}.current" or size.endswith(".rsvd"):
            continue
        if usage := cgroupfs.read(path, name):
            failed = cgroupfs.events(path, f"hugetlb.{size}.events").get("max", 0)
            found[size] = {"usage": int(usage), "failcnt": failed}
    return found
