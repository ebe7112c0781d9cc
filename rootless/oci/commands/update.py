"""`update`: change a container's limits, and for real root its device rules."""

from __future__ import annotations

from rootless import sizes
from rootless.errors import Conflict, InvalidInput, NotSupported
from rootless.oci import state
from rootless.oci.cgroup import manager
from rootless.oci.commands.flags import root_of
from rootless.oci.config.bundle import read
from rootless.oci.config.config_linux import RESOURCES
from rootless.oci.config.validate import check
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.cgroup.limits import Setting
    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container

# option -> (object, key) of linux.resources
_OPTIONS = {
    "--blkio-weight": ("blockIO", "weight"),
    "--cpu-period": ("cpu", "period"),
    "--cpu-quota": ("cpu", "quota"),
    "--cpu-burst": ("cpu", "burst"),
    "--cpu-share": ("cpu", "shares"),
    "--cpu-rt-period": ("cpu", "realtimePeriod"),
    "--cpu-rt-runtime": ("cpu", "realtimeRuntime"),
    "--cpu-idle": ("cpu", "idle"),
    "--cpuset-cpus": ("cpu", "cpus"),
    "--cpuset-mems": ("cpu", "mems"),
    "--memory": ("memory", "limit"),
    "--memory-reservation": ("memory", "reservation"),
    "--memory-swap": ("memory", "swap"),
    "--pids-limit": ("pids", "limit"),
}


def command(args: Arguments) -> int:
    """Change limits: of --resources (a file, or - for stdin), then of the options."""
    asked = given(args)
    with state.Held(root_of(args), args.words[0]) as container:
        if container.status() == state.STOPPED:
            raise Conflict(f"cannot update container {container.id}: it has stopped")
        lines = _lines(asked, container)
        program = manager.devices_of(container.config(), asked) if asked.get("devices") else None
        if (lines or (program and program.needed)) and not container.cgroup:
            raise NotSupported(
                f"cannot update container {container.id}: it has no cgroup",
                hint="create it with --systemd-cgroup, or with a limit; `rootless doctor` says what is missing",
            )
        _check_before(asked, container)
        _write(container, lines)
        if program is not None and container.cgroup:
            program.attach(container.cgroup)
    return 0


def given(args: Arguments) -> dict[str, Any]:
    """linux.resources as the command line has them, checked."""
    resources: dict[str, Any] = {}
    source = args.value("--resources")
    if source is not None:
        resources = read("/dev/stdin" if source == "-" else source, name="resources")[1]
        check(resources, RESOURCES, name="resources")
    for option, (group_name, key) in _OPTIONS.items():
        text = args.value(option)
        if text is not None:
            value = text if "cpuset" in option else _size(option, text) if group_name == "memory" else _signed(option, text)
            resources[group_name] = {**(resources.get(group_name) or {}), key: value}
    check(resources, RESOURCES, name="update")
    return resources


def _signed(option: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise InvalidInput(f"{option}: {text!r} is not a number")
    return int(text)


def _size(option: str, text: str) -> int:
    """Bytes, also as runc takes them: 64M; -1: no limit."""
    found = sizes.parse(text)
    return _signed(option, text) if found is None else found


def _lines(given: dict[str, Any], container: Container) -> list[Setting]:
    """The settings, with what one of them needs of those that are in force."""
    from rootless.cgroup import cgroupfs
    from rootless.oci.cgroup import resources

    found = resources.changes(given)
    cpu, memory = found.get("cpu") or {}, found.get("memory") or {}
    if ("quota" in cpu) != ("period" in cpu):  # one file holds both
        quota, period = (cgroupfs.read(container.cgroup, "cpu.max") or "max 100000").split()
        now = {"quota": int(quota) if quota.isdecimal() else -1, "period": int(period)}
        found["cpu"] = {**now, **cpu}
    if "swap" in memory and "limit" not in memory:  # the two together
        limit = cgroupfs.read(container.cgroup, "memory.max")
        found["memory"] = {**memory, **({"limit": int(limit)} if limit.isdecimal() else {})}
    return resources.settings(found)


def _check_before(given: dict[str, Any], container: Container) -> None:
    """memory.checkBeforeUpdate: rather no change than a container that is killed by it."""
    from rootless.cgroup import cgroupfs

    memory = given.get("memory") or {}
    limit, used = memory.get("limit") or 0, cgroupfs.read(container.cgroup, "memory.current")
    if memory.get("checkBeforeUpdate") and limit > 0 and used.isdecimal() and int(used) > limit:
        raise InvalidInput(f"linux.resources.memory.limit: {limit} is less than the {used} bytes in use")


def _write(container: Container, lines: list[Setting]) -> None:
    if not lines:
        return
    from rootless.cgroup import apply

    apply.apply(container.cgroup, lines)
    if container.unit:
        from rootless.oci.cgroup import systemd

        systemd.change(container.unit, lines)
