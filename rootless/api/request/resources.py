"""Limits of a request: HostConfig's Resources, which `update` has at its top."""

from __future__ import annotations

from typing import Any

from rootless.api.request.fields import Fields
from rootless.engine.options.resources import Rate, Resources, refuse_swappiness
from rootless.engine.options.values import Ulimit, parse_ulimit
from rootless.errors import InvalidInput, NotSupported

_NUMBERS = (
    ("Memory", "memory"), ("MemoryReservation", "memory_reservation"), ("MemorySwap", "memory_swap"), ("NanoCpus", "nano_cpus"),
    ("CpuShares", "cpu_shares"), ("CpuPeriod", "cpu_period"), ("CpuQuota", "cpu_quota"), ("PidsLimit", "pids_limit"),
    ("BlkioWeight", "blkio_weight"),
)  # fmt: skip
_WORDS = (("CpusetCpus", "cpuset_cpus"), ("CpusetMems", "cpuset_mems"))
_RATES = (
    ("BlkioDeviceReadBps", "device_read_bps"), ("BlkioDeviceWriteBps", "device_write_bps"),
    ("BlkioDeviceReadIOps", "device_read_iops"), ("BlkioDeviceWriteIOps", "device_write_iops"),
)  # fmt: skip
_REFUSED = {
    "BlkioWeightDevice": "a weight is set for all devices at once",
    "CpuRealtimePeriod": "real-time shares need control groups of version 1 and root",
    "CpuRealtimeRuntime": "real-time shares need control groups of version 1 and root",
    "DeviceCgroupRules": "device rules need root; what a container may open is up to your own rights",
    "KernelMemory": "the kernel has no such limit any more",
    "KernelMemoryTCP": "the kernel has no such limit any more",
    "CpuCount": "that is for containers of Windows",
    "CpuPercent": "that is for containers of Windows",
    "IOMaximumIOps": "that is for containers of Windows",
    "IOMaximumBandwidth": "that is for containers of Windows",
}


def resources(fields: Fields) -> Resources:
    """Those that are asked for: 0, "" and [] ask for nothing. InvalidInput, NotSupported."""
    refuse(fields, _REFUSED)
    if fields.flag("OomKillDisable"):
        raise NotSupported("OomKillDisable is not supported: control groups of version 2 have no such switch")
    refuse_swappiness(fields.optional("MemorySwappiness"))
    found: dict[str, Any] = {}
    for name, key in _NUMBERS:
        number = fields.number(name)
        if number < 0 and key not in ("memory_swap", "pids_limit", "cpu_quota"):
            raise InvalidInput(f"invalid {name}: {number}")
        if number:
            found[key] = number
    for name, key in _WORDS:
        if word := fields.text(name):
            found[key] = str(word)
    for name, key in _RATES:
        if rates := [_rate(each, name) for each in fields.objects(name)]:
            found[key] = rates
    return found  # type: ignore[return-value]


def _rate(fields: Fields, name: str) -> Rate:
    path, rate = fields.text("Path"), fields.number("Rate")
    if not path.startswith("/dev/") or rate < 0:
        raise InvalidInput(f"invalid {name}: {path}: {rate}", hint="a device below /dev, and a rate a second")
    return {"path": path, "rate": rate}


def ulimits(fields: Fields) -> list[Ulimit]:
    """Ulimits of HostConfig."""
    return [
        parse_ulimit(f"{each.text('Name')}={each.number('Soft')}:{each.number('Hard')}") for each in fields.objects("Ulimits")
    ]


def refuse(fields: Fields, reasons: dict[str, str]) -> None:
    """NotSupported for the first of these fields that asks for something."""
    for name, reason in reasons.items():
        if fields.asks(name):
            raise NotSupported(f"{name} is not supported: {reason}")
