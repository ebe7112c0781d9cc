"""A container's cgroup from its making to its removal. Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotSupported, RootlessError, Unavailable
from rootless.linux.namespace import CLONE_NEWCGROUP
from rootless.record import TYPE_CHECKING
from rootless.runtime.clone import clone

if TYPE_CHECKING:
    from rootless.cgroup.limits import Setting
    from rootless.oci.cgroup.device_filter import Program
    from rootless.oci.cgroup.systemd import ScopeName


class Cgroup:
    """The ContainerCgroup of rootless-oci (runtime/launch/cgroup.py): by a path, or none (`path` empty).

    `unit`: systemd's scope it is in. `later` are limits, and `devices` rules, that hold once the container is
    set up."""

    processes = 0
    clone_fd = -1

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
            from rootless.cgroup import cgroupfs

            cgroupfs.write(f"{self.path}/cgroup.procs", str(pid))
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def apply_late_limits(self) -> None:
        """Set what would have been in the way of setting the container up."""
        if self.owner >= 0 and self.path:
            from rootless.cgroup import cgroupfs

            cgroupfs.give(self.path, self.owner)
        if self._devices is not None and self.path:
            self._devices.attach(self.path)
        if self._later:
            from rootless.cgroup import apply

            apply.apply(self.path, list(self._later))
            self.demand_memory()

    def demand_memory(self) -> None:
        """InvalidInput where the limits of `apply_late_limits` have killed what is to be started."""
        if self._later:
            from rootless.cgroup.candidate import outgrown

            if outgrown(self.path) == "memory.max":
                raise _too_little(self._later[0].limit)

    def explain(self, error: BaseException) -> BaseException:
        """The error, or the limit of the cgroup that is behind it."""
        if not self.path or (isinstance(error, RootlessError) and type(error) is not RootlessError):
            return error
        from rootless.cgroup.candidate import outgrown

        limit = {"memory.max": "memory", "pids.max": "pids"}.get(outgrown(self.path))
        if limit is None:
            return error
        return _too_little(f"linux.resources.{limit}.limit")

    def remove(self) -> None:
        """Kill what is left in it and remove it."""
        remove(self.path, self.unit)


class SystemdCgroup(Cgroup):
    """One in a scope of systemd, which is made around a process: it is there from `enter` on."""

    def __init__(self, wanted: ScopeName, name: str, lines: list[Setting], devices: Program | None) -> None:
        super().__init__(devices=devices)
        self._wanted = wanted
        self._name = name
        self._lines = lines

    def enter(self, pid: int) -> None:
        from rootless.cgroup import apply, cgroupfs, subtrees
        from rootless.cgroup.candidate import CONTROLLERS, lacks, needed, split
        from rootless.oci.cgroup import systemd

        self.unit = f"{self._wanted.scope}.scope"
        now, self._later = split(self._lines)
        self.path = systemd.start(self._wanted, self._name, pid, settings=self._lines, now=now)
        wanted = needed(self._lines)
        given = cgroupfs.enable(os.path.dirname(self.path), wanted | CONTROLLERS)
        if lacking := [line for line in self._lines if line.controller in wanted - given]:
            raise lacks(lacking, self.unit, subtrees.search().hint)
        apply.apply(self.path, now)

    def apply_late_limits(self) -> None:
        super().apply_late_limits()
        if self._later:
            from rootless.oci.cgroup import systemd

            try:
                systemd.change(self.unit, list(self._later))
            except (NotSupported, Unavailable):
                # systemd removes the scope of an init that the limit has killed, before or after we have looked.
                self.demand_memory()
                if not os.path.exists(self.path):
                    raise _too_little(self._later[0].limit) from None
                raise


def _too_little(limit: str) -> InvalidInput:
    return InvalidInput(f"{limit}: is too little to start a container in")


def remove(path: str, unit: str) -> None:
    """Remove a container's cgroup, with whatever still runs there, and the scope `unit` around it."""
    if not path:
        return
    from rootless.cgroup import cgroupfs

    cgroupfs.kill(path)
    cgroupfs.remove(path, 5.0)
    if unit:
        from rootless.oci.cgroup import systemd

        systemd.remove(os.path.dirname(path), unit)


def none(devices: Program | None, why: str) -> Cgroup:
    """No cgroup; NotSupported where the device rules need one."""
    if devices is not None and devices.needed:
        raise NotSupported(
            f"linux.resources.devices cannot be enforced for real root, who may make nodes of any device: {why}",
            hint="leave CAP_MKNOD out of process.capabilities.bounding, or use a user namespace",
        )
    return Cgroup()
