"""The container's cgroup, as the OCI's words ask for it.

cgroup v2 only. A systemd scope that was asked for and cannot be had fails the create (oci/cgroup/systemd.py).
Otherwise `linux.cgroupsPath` is taken where we may make it, then the places of the engine's ladder
(rootless/cgroup/subtrees.py). What cannot be enforced is an error that names it: a configuration that asks
for no resources gets no cgroup where none can be made, and nothing is said. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.oci.cgroup import cgroup as cgroups
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.cgroup.limits import Setting
    from rootless.oci.cgroup.cgroup import Cgroup
    from rootless.oci.cgroup.device_filter import Program

_MODES = ("", "cgroupfs", "systemd", "disabled")


def check_mode(mode: str) -> str:
    """The word of --cgroup-manager."""
    if mode not in _MODES:
        raise NotSupported(f"unknown cgroup manager {mode!r}", hint="cgroupfs, systemd or disabled")
    return mode


def manager_for(mode: str) -> Callable[[dict[str, Any], str], Cgroup]:
    """What makes the cgroup of a container, with the cgroup manager `mode`."""

    def create_cgroup(spec: dict[str, Any], name: str) -> Cgroup:
        cgroup = choose(spec, name)
        cgroup.owner = owner_of(spec)
        return cgroup

    def choose(spec: dict[str, Any], name: str) -> Cgroup:
        linux = spec.get("linux") or {}
        given = linux.get("resources") or {}
        wanted = linux.get("cgroupsPath") or ""
        devices = devices_of(spec, given)
        asked, lines = _limits(given) if given else ([], [])
        if mode == "disabled":
            if asked:
                raise NotSupported(f"{', '.join(asked)} need a cgroup: --cgroup-manager is disabled")
            return cgroups.none(devices, "--cgroup-manager is disabled")
        if mode == "systemd" or (wanted and not mode):
            from rootless.oci.cgroup import systemd

            if mode or systemd.is_meant(wanted):
                return cgroups.SystemdCgroup(systemd.read(wanted, name), name, lines, devices)
        if not wanted and not lines and devices is None and not _has_cgroup_v2():
            return cgroups.Cgroup()
        from rootless.oci.cgroup import cgroupfs

        return cgroupfs.create_cgroup(wanted, name, lines, devices, systemd=not mode)

    return create_cgroup


def _limits(given: dict[str, Any]) -> tuple[list[str], list[Setting]]:
    """What linux.resources asks for, by its JSON paths, and as files."""
    from rootless.oci.cgroup import resources

    asked = resources.asked(given)
    return resources.words(asked), resources.settings(asked)


def owner_of(spec: dict[str, Any]) -> int:
    """The uid that will own the cgroup (config-linux.md, "Cgroup ownership"), as we see it; -1: no change of
    owner. That is so without a cgroup namespace of its own, or where the container sees the cgroup read-only."""
    linux = spec.get("linux") or {}
    kinds = {entry["type"] for entry in linux.get("namespaces") or [] if not entry.get("path")}
    mounts = [entry for entry in spec.get("mounts") or [] if entry["destination"] == "/sys/fs/cgroup"]
    read_only = not mounts or "ro" in (mounts[-1].get("options") or [])
    if os.geteuid() != 0 or read_only or not kinds >= {"user", "cgroup"}:
        return -1
    uid = ((spec.get("process") or {}).get("user") or {}).get("uid") or 0
    for entry in linux.get("uidMappings") or []:
        if entry["containerID"] <= uid < entry["containerID"] + entry["size"]:
            return int(entry["hostID"] + uid - entry["containerID"])
    return -1


def devices_of(spec: dict[str, Any], resources: dict[str, Any]) -> Program | None:
    """For real root the rules of linux.resources.devices; for others the user namespace is the rule."""
    if os.geteuid() != 0:
        return None
    from rootless.oci.cgroup import device_filter as devices

    return devices.program(resources.get("devices") or [], spec)


def _has_cgroup_v2() -> bool:
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")
