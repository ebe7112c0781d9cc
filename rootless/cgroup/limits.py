"""Limits: OCI's linux.resources (cgroup v1 words) as the files of cgroup v2, and back. Pure.

Conversions as crun and runc have them (crun.1, "cgroup v2"): shares 2..262144 linearly to weights
1..10000, so that the ratio of two containers stays what it was; memory+swap to swap; blkio weights
10..1000 to 1..10000. Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

MAXIMUM = "max"


class Setting(Record):
    """One limit: its option without the dashes, or its path in an OCI configuration; the file that holds
    it and what is written there (several lines of io.max)."""

    limit: str
    controller: str
    file: str
    values: tuple[str, ...]
    default: bool = False  # nobody asked for it by name, or it limits nothing: it may be missing

    @property
    def asked_as(self) -> str:
        """The limit as whoever set it wrote it."""
        return self.limit if self.limit.startswith("linux.") else "--" + self.limit


def settings(resources: dict[str, Any]) -> list[Setting]:
    """The settings of linux.resources, in the order in which they are to be written."""
    found = _memory(resources.get("memory") or {})
    found += _cpu(resources.get("cpu") or {})
    pids = resources.get("pids") or {}
    if pids.get("limit") is not None:
        value = _maximum(pids["limit"])
        found.append(Setting("pids-limit", "pids", "pids.max", (value,), bool(pids.get("default"))))
    return found + _io(resources.get("blockIO") or {})


def _maximum(value: int) -> str:
    return MAXIMUM if value <= 0 else str(value)


def _memory(memory: dict[str, Any]) -> list[Setting]:
    found = []
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit is not None:
        found.append(Setting("memory", "memory", "memory.max", (_maximum(limit),)))
    if memory.get("reservation") is not None:
        low = str(max(0, memory["reservation"]))
        found.append(Setting("memory-reservation", "memory", "memory.low", (low,)))
    if swap is not None:
        value, default = swap_bytes(limit, swap), bool(memory.get("swapIsDefault"))
        found.append(Setting("memory-swap", "memory", "memory.swap.max", (value,), default))
    return found


def swap_bytes(limit: int | None, total: int) -> str:
    """memory.swap.max of v1's memory and memory+swap limits."""
    if total < 0:
        return MAXIMUM
    if not limit or limit < 0:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage")
    if total < limit:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    return str(total - limit)


def _cpu(cpu: dict[str, Any]) -> list[Setting]:
    found = []
    if cpu.get("shares"):
        found.append(Setting("cpu-shares", "cpu", "cpu.weight", (str(weight_of_shares(cpu["shares"])),)))
    quota, period = cpu.get("quota"), cpu.get("period")
    if quota is not None or period is not None:
        words = f"{_maximum(quota or 0)} {period or 100_000}"
        # A period alone limits nothing (DockerSpawner sends one with every container), and so may be missing.
        found.append(Setting("cpus", "cpu", "cpu.max", (words,), (quota or 0) <= 0))
    if cpu.get("cpus"):
        found.append(Setting("cpuset-cpus", "cpuset", "cpuset.cpus", (cpu["cpus"],)))
    if cpu.get("mems"):
        found.append(Setting("cpuset-mems", "cpuset", "cpuset.mems", (cpu["mems"],)))
    return found


def weight_of_shares(shares: int) -> int:
    """cpu.weight (1..10000) of v1's cpu.shares (2..262144)."""
    bounded = min(max(shares, 2), 262_144)
    return 1 + (bounded - 2) * 9999 // 262_142


def weight_of_blkio(weight: int) -> int:
    """io.weight (1..10000) of v1's blkio.weight (10..1000)."""
    return 1 + (weight - 10) * 9999 // 990


_THROTTLES = {
    "throttleReadBpsDevice": ("device-read-bps", "rbps"),
    "throttleWriteBpsDevice": ("device-write-bps", "wbps"),
    "throttleReadIOPSDevice": ("device-read-iops", "riops"),
    "throttleWriteIOPSDevice": ("device-write-iops", "wiops"),
}


def _io(block: dict[str, Any]) -> list[Setting]:
    found = []
    if block.get("weight"):
        found.append(Setting("blkio-weight", "io", "io.weight", (f"default {weight_of_blkio(block['weight'])}",)))
    for key, (limit, word) in _THROTTLES.items():
        lines = tuple(
            f"{entry['major']}:{entry['minor']} {word}={_maximum(entry.get('rate', 0))}"
            for entry in block.get(key) or []
        )
        if lines:
            found.append(Setting(limit, "io", "io.max", lines))
    return found


def missing(wanted: list[Setting], controllers: frozenset[str]) -> list[Setting]:
    """The settings whose controller is not among `controllers`."""
    return [setting for setting in wanted if setting.controller not in controllers]


def parse_cpu_list(words: str) -> frozenset[int]:
    """The numbers of a list such as 0-3,7; ValueError for anything else."""
    found: set[int] = set()
    for part in words.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(words)
        low, high = int(first), int(last or first)
        if low > high or high > 65535:
            raise ValueError(words)
        found |= set(range(low, high + 1))
    return frozenset(found)
