"""Limits as they are recorded, as OCI's linux.resources, and held to what makes sense.

Docker's words and its checks (daemon/daemon_unix.go, verifyPlatformContainerResources); what a
host can enforce is not decided here but in rootless/cgroup. Hot path.
"""

from __future__ import annotations

import os
import stat

from rootless.cgroup.create import DEFAULT_PIDS
from rootless.cgroup.limits import parse_cpu_list
from rootless.engine.options.resources import Rate, Resources
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

MINIMUM_BYTES = 6 << 20
MINIMUM_PERIOD_US, MAXIMUM_PERIOD_US, MINIMUM_QUOTA_US = 1000, 1_000_000, 1000
PERIOD_US = 100_000

_THROTTLES = {
    "device_read_bps": "throttleReadBpsDevice",
    "device_write_bps": "throttleWriteBpsDevice",
    "device_read_iops": "throttleReadIOPSDevice",
    "device_write_iops": "throttleWriteIOPSDevice",
}


def check(asked: Resources) -> None:
    """Refuse what no machine could give, or not this one; Docker's words where it has some."""
    _check_memory(asked)
    _check_cpu(asked)
    _check_set(asked.get("cpuset_cpus"), "cpus", "/sys/devices/system/cpu/online")
    _check_set(asked.get("cpuset_mems"), "memory nodes", "/sys/devices/system/node/has_memory")
    weight = asked.get("blkio_weight", 0)
    if weight and not 10 <= weight <= 1000:
        raise InvalidInput("Range of blkio weight is from 10 to 1000", hint=f"--blkio-weight {weight} is outside")
    if asked.get("pids_limit", 1) < -1:
        raise InvalidInput(f"invalid --pids-limit: {asked['pids_limit']}", hint="a number from 1, or -1 for no limit")


_SWAP = "--memory-swap is memory and swap together: --memory 64m --memory-swap 128m allows 64m of swap"


def _check_memory(asked: Resources) -> None:
    memory, reservation = asked.get("memory", 0), asked.get("memory_reservation", 0)
    swap = asked.get("memory_swap", 0)
    if 0 < memory < MINIMUM_BYTES:
        raise InvalidInput("Minimum memory limit allowed is 6MB", hint="a start alone takes that: --memory 6m or more")
    if 0 < reservation < MINIMUM_BYTES:
        raise InvalidInput("Minimum memory reservation allowed is 6MB", hint="--memory-reservation 6m or more")
    if memory > 0 and swap > 0 and swap < memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage", hint=_SWAP)
    if memory <= 0 and swap > 0:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage", hint=_SWAP)
    if memory > 0 and reservation > memory:
        raise InvalidInput(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
            hint="lower --memory-reservation: it is what the container keeps when memory is short",
        )


def _check_cpu(asked: Resources) -> None:
    nano, period, quota = asked.get("nano_cpus", 0), asked.get("cpu_period", 0), asked.get("cpu_quota", 0)
    if nano and (period or quota):
        word = "Period" if period else "Quota"
        raise InvalidInput(f"Conflicting options: Nano CPUs and CPU {word} cannot both be set")
    available = os.cpu_count() or 1
    if nano < 0 or nano > available * 1_000_000_000:
        raise InvalidInput(
            f"Range of CPUs is from 0.01 to {available}.00, as there are only {available} CPUs available"
        )
    if nano and nano * PERIOD_US // 1_000_000_000 < MINIMUM_QUOTA_US:
        raise InvalidInput(f"Range of CPUs is from 0.01 to {available}.00")
    if period and not MINIMUM_PERIOD_US <= period <= MAXIMUM_PERIOD_US:
        raise InvalidInput("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if quota > 0 and quota < MINIMUM_QUOTA_US:
        raise InvalidInput("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if asked.get("cpu_shares", 0) < 0:
        raise InvalidInput(f"invalid --cpu-shares: {asked['cpu_shares']}", hint="2 to 262144; 1024 is the default")


def _check_set(words: str | None, what: str, path: str) -> None:
    if not words:
        return
    option = "--cpuset-cpus" if what == "cpus" else "--cpuset-mems"
    try:
        wanted = parse_cpu_list(words)
    except ValueError:
        raise InvalidInput(f"invalid value '{words}' for {option}", hint="write for example 0-2,5") from None
    try:
        with open(path, encoding="ascii") as file:
            available = file.read().strip()
        if wanted <= parse_cpu_list(available):
            return
    except (OSError, ValueError):
        return  # the kernel will refuse what it does not have
    raise InvalidInput(f"Requested {what} are not available - requested {words}, available: {available}")


def to_oci(asked: Resources) -> dict[str, Any]:
    """linux.resources (config-linux.md, "Control groups"); InvalidInput for a device that is none."""
    found: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    if asked.get("memory"):
        memory["limit"] = asked["memory"]
    if asked.get("memory_reservation"):
        memory["reservation"] = asked["memory_reservation"]
    if asked.get("memory_swap"):
        memory["swap"] = asked["memory_swap"]
    elif asked.get("memory", 0) > 0:
        memory["swap"] = 2 * asked["memory"]  # Docker's: as much swap as memory
        memory["swapIsDefault"] = True
    cpu: dict[str, Any] = {}
    if asked.get("nano_cpus"):
        cpu["period"], cpu["quota"] = PERIOD_US, asked["nano_cpus"] * PERIOD_US // 1_000_000_000
    if asked.get("cpu_period"):
        cpu["period"] = asked["cpu_period"]
    if asked.get("cpu_quota"):
        cpu["quota"] = asked["cpu_quota"]
    if asked.get("cpu_shares"):
        cpu["shares"] = asked["cpu_shares"]
    if asked.get("cpuset_cpus"):
        cpu["cpus"] = asked["cpuset_cpus"]
    if asked.get("cpuset_mems"):
        cpu["mems"] = asked["cpuset_mems"]
    found["pids"] = {"limit": asked["pids_limit"]} if asked.get("pids_limit") else {
        "limit": DEFAULT_PIDS, "default": True}  # fmt: skip
    block: dict[str, Any] = {"weight": asked["blkio_weight"]} if asked.get("blkio_weight") else {}
    for key, name in _THROTTLES.items():
        rates: list[Rate] = asked.get(key) or []  # type: ignore[assignment]
        if rates:
            block[name] = [_throttle(rate) for rate in rates]
    for name, values in (("memory", memory), ("cpu", cpu), ("blockIO", block)):
        if values:
            found[name] = values
    return found


def _throttle(rate: Rate) -> dict[str, int]:
    try:
        status = os.stat(rate["path"])
    except OSError as error:
        raise InvalidInput(f"{rate['path']}: {error.strerror}", hint="name a block device, such as /dev/sda") from None
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidInput(f"{rate['path']} is not a block device", hint="name one, such as /dev/sda")
    number = status.st_rdev
    return {"major": os.major(number), "minor": os.minor(number), "rate": rate["rate"]}
