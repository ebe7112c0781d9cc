"""A container's limits and its cgroup: made at its start, shown by `inspect`. Hot path."""

from __future__ import annotations

import sys

from rootless import user_config
from rootless.cgroup import cgroupfs
from rootless.cgroup.create import DEFAULT_PIDS, CgroupRequest, CgroupResult, create_cgroup
from rootless.engine.options.resources import Rate, Resources
from rootless.engine.state.config import ContainerConfig
from rootless.engine.state.resources import to_oci
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def of(record: ContainerConfig) -> Resources:
    """The container's; those made before there were limits have none."""
    return record.get("resources") or {}


class CgroupManager:
    """Makes one container's cgroup at its start, and says what state.json remembers of it."""

    def __init__(self, record: ContainerConfig, *, own_user_namespace: bool) -> None:
        self.result = CgroupResult()
        self.request = CgroupRequest(
            cgroupfs.name_of(record["name"], record["id"]),
            f"rootless container {record['name']} ({record['image'] or record['rootfs']})",
            to_oci(of(record)),
            record.get("cgroups") or "enabled",
            record.get("cgroup_parent") or "",
            own_user_namespace,
            bool(user_config.limits_are_optional()),
        )

    def __call__(self) -> CgroupResult:
        """Runs in the process that becomes the monitor."""
        self.result = create_cgroup(self.request)
        if self.result.warning:
            print(f"rootless: {self.result.warning}", file=sys.stderr)
        if self.result.left_out:
            print(f"rootless: {not_limited(self.result.left_out)}", file=sys.stderr)
        return self.result

    def state(self) -> dict[str, Any]:
        """cgroup: its directory or ""; cgroup_how: the rung; cgroup_unit: systemd's scope; limits: name ->
        what holds it; cgroup_why: why there is none."""
        found = self.result
        return {
            "cgroup": found.path,
            "cgroup_how": found.how,
            "cgroup_unit": found.unit,
            "cgroup_why": found.why,
            "limits": found.limits,
        }


def not_limited(why: str) -> str:
    """What is said where a container has less limits than were asked for."""
    return f"WARNING: {why}; the container runs without ({user_config.limits_are_optional()}: limits = \"warn\")"


def host_config(record: ContainerConfig, state: dict[str, Any]) -> dict[str, Any]:
    """The limits as HostConfig of Docker's API has them; "Limits" says what holds each while it runs,
    "Freezer" what `pause` halts it with."""
    asked = of(record)
    memory = asked.get("memory", 0)
    cgroup = str(state.get("cgroup") or "")
    found: dict[str, Any] = {
        "Memory": memory,
        "MemoryReservation": asked.get("memory_reservation", 0),
        "MemorySwap": asked.get("memory_swap") or 2 * memory,
        "MemorySwappiness": None,
        "NanoCpus": asked.get("nano_cpus", 0),
        "CpuShares": asked.get("cpu_shares", 0),
        "CpuPeriod": asked.get("cpu_period", 0),
        "CpuQuota": asked.get("cpu_quota", 0),
        "CpusetCpus": asked.get("cpuset_cpus", ""),
        "CpusetMems": asked.get("cpuset_mems", ""),
        "PidsLimit": asked.get("pids_limit") or DEFAULT_PIDS,
        "BlkioWeight": asked.get("blkio_weight", 0),
        "CgroupParent": record.get("cgroup_parent") or "",
        "Cgroups": record.get("cgroups") or "enabled",
        "Cgroup": cgroup,
        "CgroupFrom": state.get("cgroup_how", ""),
        "Limits": state.get("limits") or {},
        "Freezer": "cgroup.freeze" if cgroupfs.can_freeze(cgroup) else "SIGSTOP",
    }
    for key, name in (
        ("device_read_bps", "BlkioDeviceReadBps"),
        ("device_write_bps", "BlkioDeviceWriteBps"),
        ("device_read_iops", "BlkioDeviceReadIOps"),
        ("device_write_iops", "BlkioDeviceWriteIOps"),
    ):
        rates: list[Rate] = asked.get(key) or []  # type: ignore[assignment]
        found[name] = [{"Path": rate["path"], "Rate": rate["rate"]} for rate in rates]
    return found
