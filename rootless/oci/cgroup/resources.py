"""linux.resources as the files of cgroup v2, and by their JSON paths what cannot be one. Pure."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.cgroup.limits import Setting

_PATH = "linux.resources"


def asked(resources: dict[str, Any]) -> dict[str, Any]:
    """linux.resources without what asks for nothing: nulls, empty ones, "no limit"; and without device
    rules, which are no limit (oci/cgroup/device_filter.py)."""
    found = {}
    for name, value in resources.items():
        if name == "devices":
            continue
        if isinstance(value, dict) and name not in ("unified", "rdma"):
            value = {key: word for key, word in value.items() if not _means_nothing(name, key, word)}
        if name == "cpu" and set(value) <= {"period"}:
            continue  # of a quota that is not there
        if value:
            found[name] = value
    return found


def _means_nothing(name: str, key: str, value: Any) -> bool:
    if value is None or value is False or value == "" or value == []:
        return True
    if name == "memory":
        # -1 and 0 are "unlimited"; the rest is cgroup v1's, where v2 has nothing like it.
        if key in ("useHierarchy", "checkBeforeUpdate"):
            return True
        return key in ("limit", "swap", "reservation", "kernel", "kernelTCP") and value in (-1, 0)
    if name == "pids":
        return key != "limit" or bool(value <= 0)
    if name == "cpu":
        # 1024 shares are what everybody has who asks for none; containerd writes them always.
        return value == 0 or (key == "quota" and value < 0) or (key == "shares" and value == 1024)
    return name in ("blockIO", "network") and value == 0


def changes(resources: dict[str, Any]) -> dict[str, Any]:
    """What `update` is asked to change: going back to "unlimited" is something here, null is not."""
    found = {}
    for name, value in resources.items():
        if name == "devices":
            continue
        if isinstance(value, dict) and name not in ("unified", "rdma"):
            value = {
                key: word
                for key, word in value.items()
                if word is not None and not (key in _NOT_IN_V2.get(name, ()) and _means_nothing(name, key, word))
            }
        if value:
            found[name] = value
    return found


def words(resources: dict[str, Any]) -> list[str]:
    """The JSON paths of what is asked for."""
    return [
        f"{_PATH}.{name}.{key}" if isinstance(value, dict) else f"{_PATH}.{name}"
        for name, value in resources.items()
        for key in (value if isinstance(value, dict) else [""])
    ]


_NOT_IN_V2 = {
    "memory": ("kernel", "kernelTCP", "swappiness", "disableOOMKiller"),
    "cpu": ("realtimePeriod", "realtimeRuntime"),
    "blockIO": ("leafWeight",),
    "network": ("classID", "priorities"),
}
# The limits of rootless/cgroup, which have the names of the engine's options.
_NAMES = {
    "memory": "memory.limit",
    "memory-reservation": "memory.reservation",
    "memory-swap": "memory.swap",
    "cpu-shares": "cpu.shares",
    "cpus": "cpu.quota",
    "cpuset-cpus": "cpu.cpus",
    "cpuset-mems": "cpu.mems",
    "pids-limit": "pids.limit",
    "blkio-weight": "blockIO.weight",
    "device-read-bps": "blockIO.throttleReadBpsDevice",
    "device-write-bps": "blockIO.throttleWriteBpsDevice",
    "device-read-iops": "blockIO.throttleReadIOPSDevice",
    "device-write-iops": "blockIO.throttleWriteIOPSDevice",
}


def settings(resources: dict[str, Any]) -> list[Setting]:
    """What is to be written, each under its JSON path; NotSupported for what cgroup v2 does not have."""
    from rootless.cgroup import limits

    for name, keys in _NOT_IN_V2.items():
        for key in keys:
            if key in (resources.get(name) or {}):
                raise NotSupported(f"{_PATH}.{name}.{key}: cgroup v2 has no such limit")
    _check_weight(resources.get("blockIO") or {}, "blockIO")
    try:
        known = limits.settings(resources)
    except InvalidInput:
        raise InvalidInput(
            f"{_PATH}.memory.swap: is memory and swap together, and needs a memory.limit that is not larger"
        ) from None
    found = [one._replace(limit=f"{_PATH}.{_NAMES[one.limit]}") for one in known]

    def add(path: str, file: str, *values: str) -> None:
        found.append(limits.Setting(f"{_PATH}.{path}", file.partition(".")[0], file, values))

    cpu = resources.get("cpu") or {}
    for key, file in (("idle", "cpu.idle"), ("burst", "cpu.max.burst")):
        if cpu.get(key) is not None:
            add(f"cpu.{key}", file, str(cpu[key]))
    for index, entry in enumerate((resources.get("blockIO") or {}).get("weightDevice") or []):
        name = f"blockIO.weightDevice[{index}]"
        _check_weight(entry, name)
        if entry.get("leafWeight"):
            raise NotSupported(f"{_PATH}.{name}.leafWeight: cgroup v2 has no such limit")
        if entry.get("weight"):
            weight = limits.weight_of_blkio(entry["weight"])
            add(name, "io.weight", f"{entry['major']}:{entry['minor']} {weight}")
    for index, entry in enumerate(resources.get("hugepageLimits") or []):
        add(f"hugepageLimits[{index}]", f"hugetlb.{entry['pageSize']}.max", str(entry["limit"]))
    for device, entry in (resources.get("rdma") or {}).items():
        pairs = (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
        limited = [f"{word}={entry[key]}" for key, word in pairs if entry.get(key) is not None]
        add(f"rdma.{device}", "rdma.max", f"{device} {' '.join(limited)}")
    for file, value in (resources.get("unified") or {}).items():
        if "/" in file or "." not in file.strip("."):
            raise InvalidInput(f"{_PATH}.unified: {file!r} is no file of a cgroup")
        add(f"unified[{file!r}]", file, *value.splitlines())
    return found


def _check_weight(block: dict[str, Any], name: str) -> None:
    weight = block.get("weight")
    if weight and not 10 <= weight <= 1000:
        raise InvalidInput(f"{_PATH}.{name}.weight: must be between 10 and 1000, not {weight}")
