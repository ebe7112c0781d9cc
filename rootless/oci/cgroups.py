"""The container's cgroup, as the OCI's words ask for it. HOT where nothing is asked.

cgroup v2 only. Asked for a scope of systemd it is in one, or there is no container (oci/scopes.py).
Otherwise `linux.cgroupsPath` is taken where we may make it, then the places of the engine's ladder
(rootless/cgroup/find.py). What cannot be enforced is an error that names it: a configuration that asks
for no resources gets no cgroup where none can be made, and nothing is said.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux.namespace import CLONE_NEWCGROUP
from rootless.record import TYPE_CHECKING
from rootless.runtime.clone import clone

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.cgroup.limits import Setting
    from rootless.oci.devices import Program
    from rootless.oci.scopes import Name

_MODES = ("", "cgroupfs", "systemd", "disabled")
# Less memory than that, and the Python which sets the container up may not fit.
_SETUP_BYTES = 64 << 20
_CONTROLLERS = frozenset(("cpu", "cpuset", "io", "memory", "pids"))


def check_mode(mode: str) -> str:
    """The word of --cgroup-manager."""
    if mode not in _MODES:
        raise NotSupported(f"unknown cgroup manager {mode!r}", hint="cgroupfs, systemd or disabled")
    return mode


class Cgroup:
    """A container's cgroup, or none (`path` empty); `unit`: systemd's scope it is in. `later` are limits, and `devices` rules, that hold
    once the container is set up."""

    def __init__(
        self, path: str = "", fd: int = -1, *, later: tuple[Setting, ...] = (), devices: Program | None = None
    ) -> None:
        self.path = path
        self.unit = ""
        self.owner = -1  # whose it becomes: a container that may divide it
        self._fd = fd
        self._later = later
        self._devices = devices

    def clone(self, flags: int) -> int:
        """Fork with `flags`. The cgroup namespace is left to the child, which is in its cgroup by then."""
        return clone(flags & ~CLONE_NEWCGROUP)

    def enter(self, pid: int) -> None:
        """Put the init into it, before it does anything."""
        if self.path:
            from rootless.cgroup import group

            group.write(f"{self.path}/cgroup.procs", str(pid))
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def settle(self, pid: int) -> None:
        """All is set up: from now on holds what would have been in our own way."""
        if self.owner >= 0 and self.path:
            from rootless.cgroup import group

            group.give(self.path, self.owner)
        if self._devices is not None and self.path:
            self._devices.attach(self.path)
        if self._later:
            from rootless.cgroup import apply, group

            apply.apply(self.path, list(self._later))
            if group.events(self.path, "memory.events").get("oom_kill"):
                raise InvalidInput(f"{self._later[0].limit}: is too little to start a container in")

    def remove(self) -> None:
        """Kill what is left in it and remove it."""
        remove(self.path, self.unit)


class Scoped(Cgroup):
    """A cgroup in a scope of systemd, which is made around a process: it is there from `enter` on."""

    def __init__(self, wanted: Name, name: str, lines: list[Setting], devices: Program | None) -> None:
        super().__init__(devices=devices)
        self._wanted = wanted
        self._name = name
        self._lines = lines

    def enter(self, pid: int) -> None:
        from rootless.cgroup import apply, find, group
        from rootless.oci import scopes

        self.unit = f"{self._wanted.scope}.scope"
        now, self._later = split(self._lines)
        self.path = scopes.start(self._wanted, self._name, pid, settings=self._lines, now=now)
        wanted = needed(self._lines)
        if lacking := wanted - group.enable(os.path.dirname(self.path), wanted | _CONTROLLERS):
            raise lacks(self._lines, lacking, self.unit, find.search().hint)
        apply.apply(self.path, now)

    def settle(self, pid: int) -> None:
        super().settle(pid)
        if self._later:
            from rootless.oci import scopes

            scopes.change(self.unit, list(self._later))


def remove(path: str, unit: str) -> None:
    """Remove a container's cgroup, with whatever still runs there, and the scope `unit` around it."""
    if not path:
        return
    from rootless.cgroup import group

    group.kill(path)
    group.remove(path, 5.0)
    if unit:
        from rootless.oci import scopes

        scopes.remove(os.path.dirname(path), unit)


def placer(mode: str) -> Callable[[dict[str, Any], str], Cgroup]:
    """What makes the cgroup of a container, with the cgroup manager `mode`."""

    def place(spec: dict[str, Any], name: str) -> Cgroup:
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
            return none(devices, "--cgroup-manager is disabled")
        if mode == "systemd" or (wanted and not mode):
            from rootless.oci import scopes

            if mode or scopes.is_meant(wanted):
                return Scoped(scopes.read(wanted, name), name, lines, devices)
        if not wanted and not lines and devices is None and not _has_cgroup_v2():
            return Cgroup()
        from rootless.oci import placing

        return placing.place(wanted, name, lines, devices, systemd=not mode)

    return place


def _limits(given: dict[str, Any]) -> tuple[list[str], list[Setting]]:
    """What linux.resources asks for, by its JSON paths, and as files."""
    from rootless.oci import resources

    asked = resources.asked(given)
    return resources.words(asked), resources.settings(asked)


def owner_of(spec: dict[str, Any]) -> int:
    """The uid whose the cgroup is to be (config-linux.md, "Cgroup ownership"), as we see it; -1: it stays ours.
    That is so without a cgroup namespace of its own, or where the container sees the cgroup read-only."""
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
    from rootless.oci import devices

    return devices.program(resources.get("devices") or [], spec)


def none(devices: Program | None, why: str) -> Cgroup:
    """No cgroup; NotSupported where the device rules need one."""
    if devices is not None and devices.needed:
        raise NotSupported(
            f"linux.resources.devices cannot be enforced for real root, who may make nodes of any device: {why}",
            hint="leave CAP_MKNOD out of process.capabilities.bounding, or use a user namespace",
        )
    return Cgroup()


def _has_cgroup_v2() -> bool:
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def needed(lines: list[Setting]) -> frozenset[str]:
    """The controllers of the settings."""
    return frozenset(line.controller for line in lines) - {"cgroup"}


def split(lines: list[Setting]) -> tuple[list[Setting], tuple[Setting, ...]]:
    """What is set before the container is set up, and what would be in the way."""
    later = tuple(
        line
        for line in lines
        if line.file == "memory.max" and line.values[0].isdecimal() and int(line.values[0]) < _SETUP_BYTES
    )
    return [line for line in lines if line not in later], later


def lacks(lines: list[Setting], lacking: frozenset[str], where: str, hint: str) -> NotSupported:
    """The error for controllers that the cgroup has not; the hint names them, too."""
    from rootless.cgroup import find

    names = dict.fromkeys(line.limit for line in lines if line.controller in lacking)
    controllers = ", ".join(sorted(lacking))
    more = " ".join(sorted(lacking - _CONTROLLERS))
    return NotSupported(
        f"{', '.join(names)} cannot be enforced: the controller {controllers} is not given to {where}",
        hint=hint.replace(find.DELEGATED, f"{find.DELEGATED} {more}".rstrip()),
    )
