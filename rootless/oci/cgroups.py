"""The container's cgroup, as the OCI's words ask for it. HOT where nothing is asked.

cgroup v2 only. `linux.cgroupsPath` is taken where we may make it; elsewhere the engine's ladder
finds a place (rootless/cgroup/place.py). What cannot be enforced is an error that names it: a
configuration that asks for no resources gets no cgroup where none can be made, and nothing is
said. Device rules are enforced by the user namespace, in which no node can be made; for real root
they need a container without CAP_MKNOD.
"""

from __future__ import annotations

import os

from rootless.errors import NotSupported, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.runtime.clone import clone

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MODES = ("", "cgroupfs", "systemd", "disabled")


def check_mode(mode: str) -> str:
    """The word of --cgroup-manager."""
    if mode not in _MODES:
        raise NotSupported(f"unknown cgroup manager {mode!r}", hint="cgroupfs, systemd or disabled")
    return mode


class Cgroup:
    """A container's cgroup, or none (`path` empty)."""

    def __init__(self, path: str = "", fd: int = -1) -> None:
        self.path = path
        self._fd = fd

    def clone(self, flags: int) -> int:
        """Fork with `flags` into it."""
        return clone(flags)

    def enter(self, pid: int) -> None:
        """Put the init into it, before it does anything."""
        if self.path:
            from rootless.cgroup import group

            group.write(f"{self.path}/cgroup.procs", str(pid))
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def settle(self, pid: int) -> None:
        """All is set up."""

    def remove(self) -> None:
        """Kill what is left in it and remove it."""
        remove(self.path)


def remove(path: str) -> None:
    """Remove a container's cgroup, with whatever still runs there."""
    if not path:
        return
    from rootless.cgroup import group

    group.kill(path)
    group.remove(path, 5.0)


def placer(mode: str) -> Callable[[dict[str, Any], str], Cgroup]:
    """What makes the cgroup of a container, with the cgroup manager `mode`."""

    def place(spec: dict[str, Any], name: str) -> Cgroup:
        linux = spec.get("linux") or {}
        _check_devices(spec)
        resources = asked(linux.get("resources") or {})
        wanted = linux.get("cgroupsPath") or ""
        if mode == "disabled" or (not resources and not wanted and not _has_cgroup_v2()):
            if resources:
                raise NotSupported(
                    f"{', '.join(_words(resources))} need a cgroup: --cgroup-manager is disabled"
                )
            return Cgroup()
        return _place(wanted, resources, name, mode)

    return place


def _check_devices(spec: dict[str, Any]) -> None:
    """Real root that may make nodes would be held by a device cgroup alone, which this runtime has
    not: refused rather than left out."""
    rules = ((spec.get("linux") or {}).get("resources") or {}).get("devices") or []
    capabilities = (spec.get("process") or {}).get("capabilities") or {}
    if not any(not rule["allow"] for rule in rules) or "CAP_MKNOD" not in (
        capabilities.get("bounding") or []
    ):
        return
    own = any(entry["type"] == "user" for entry in (spec.get("linux") or {}).get("namespaces") or [])
    if own or os.getuid() != 0:
        return
    with open("/proc/self/uid_map") as file:
        if file.read().split() == ["0", "0", "4294967295"]:
            raise NotSupported(
                "linux.resources.devices cannot be enforced for real root: it may make nodes of any device",
                hint="leave CAP_MKNOD out of process.capabilities.bounding, or use a user namespace",
            )


def _has_cgroup_v2() -> bool:
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def asked(resources: dict[str, Any]) -> dict[str, Any]:
    """linux.resources without what asks for nothing: nulls, empty ones, "no limit", and device
    rules, which the user namespace enforces. Pure."""
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
        return key == "useHierarchy" or (key in ("limit", "swap", "reservation") and value in (-1, 0))
    if name == "pids":
        return bool(value <= 0)
    if name == "cpu":
        # 1024 shares are what everybody has who asks for none; containerd writes them always.
        return value == 0 or (key == "quota" and value < 0) or (key == "shares" and value == 1024)
    return name == "blockIO" and value == 0


def _words(resources: dict[str, Any]) -> list[str]:
    """The JSON paths of what is asked for."""
    return [f"linux.resources.{name}.{key}" for name, value in resources.items() for key in (value or [""])]


_UNKNOWN = {
    "memory": ("kernel", "kernelTCP", "swappiness", "disableOOMKiller"),
    "cpu": ("realtimePeriod", "realtimeRuntime"),
    "blockIO": ("leafWeight",),
    "network": ("classID", "priorities"),
}


def settings(resources: dict[str, Any]) -> list[Any]:
    """What is to be written, as rootless/cgroup has it; NotSupported for what cgroup v2 does not have."""
    from rootless.cgroup import limits

    for name, keys in _UNKNOWN.items():
        for key in keys:
            if key in (resources.get(name) or {}):
                raise NotSupported(f"linux.resources.{name}.{key}: cgroup v2 has no such limit")
    found = limits.settings(resources)
    cpu = resources.get("cpu") or {}
    for key, file in (("idle", "cpu.idle"), ("burst", "cpu.max.burst")):
        if key in cpu:
            found.append(limits.Setting(f"cpu-{key}", "cpu", file, (str(cpu[key]),)))
    for entry in resources.get("hugepageLimits") or []:
        file = f"hugetlb.{entry['pageSize']}.max"
        found.append(limits.Setting("hugepage", "hugetlb", file, (str(entry["limit"]),)))
    for device, entry in (resources.get("rdma") or {}).items():
        words = [
            f"{word}={entry[key]}"
            for key, word in (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
            if entry.get(key) is not None
        ]
        found.append(limits.Setting("rdma", "rdma", "rdma.max", (f"{device} {' '.join(words)}",)))
    for file, value in (resources.get("unified") or {}).items():
        if "/" in file or file.startswith("."):
            raise NotSupported(f"linux.resources.unified: {file!r} is no file of a cgroup")
        found.append(limits.Setting("unified", file.partition(".")[0], file, tuple(value.splitlines())))
    return list(found)


def _place(wanted: str, resources: dict[str, Any], name: str, mode: str) -> Cgroup:
    from rootless.cgroup import apply, find, group

    lines = settings(resources)
    needed = {line.controller for line in lines} - {"cgroup"}
    why, hint = "this account may not make cgroups here", find.search().hint
    for directory in _candidates(wanted, name, mode):
        try:
            given = _make(directory, frozenset(needed))
            fd = group.create(directory)
        except OSError as error:
            why = f"{error.filename or directory}: {error.strerror}"
            continue
        lacking = needed - given
        if not lacking:
            try:
                apply.apply(directory, lines)
                _try(directory)
            except OSError as error:
                why = f"{error.filename or directory}: {error.strerror}"
            except RootlessError:
                os.close(fd)
                group.remove(directory, 0)
                raise
            else:
                return Cgroup(directory, fd)
        else:
            why = f"the controller {', '.join(sorted(lacking))} is not given to {directory}"
        os.close(fd)
        group.remove(directory, 0)
    if resources:
        raise NotSupported(f"{', '.join(_words(resources))} cannot be enforced: {why}", hint=hint)
    return Cgroup()


def _try(directory: str) -> None:
    """Whether a process of ours may be put there: told by a child that goes in and ends."""
    from rootless.cgroup import group

    child = os.fork()
    if child == 0:
        code = 1
        try:
            group.write(directory + "/cgroup.procs", "0")
            code = 0
        except OSError as error:
            code = error.errno or 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code), directory + "/cgroup.procs")


def _candidates(wanted: str, name: str, mode: str) -> list[str]:
    """Directories to try, the one that is asked for first."""
    from rootless.cgroup import find

    mount = find.mount_point()
    if not mount:
        return []
    found = []
    slice_name, _, rest = wanted.partition(":")
    if mode == "systemd" or (slice_name.endswith(".slice") and rest.count(":") == 1):
        # SLICE:PREFIX:NAME, systemd's words; made where a slice of this user is ours.
        prefix, _, scope = rest.partition(":")
        wanted = f"{prefix}-{scope}.scope" if prefix else scope
    if wanted.startswith("/") and ".." not in wanted.split("/"):
        found.append(mount + os.path.normpath(wanted))
    for subtree in find.search().subtrees:
        if subtree.path:
            leaf = os.path.normpath("/" + wanted).lstrip("/") if wanted else f"rootless-oci-{name}"
            found.append(f"{subtree.path}/{leaf}")
    return list(dict.fromkeys(found))


def _make(directory: str, needed: frozenset[str]) -> frozenset[str]:
    """Make the parents of `directory` and hand `needed` controllers down to it; what arrives."""
    from rootless.cgroup import find, group

    parent = os.path.dirname(directory)
    os.makedirs(parent, 0o755, exist_ok=True)
    if not needed:
        return needed
    chain = [parent]
    mount = find.mount_point()
    while chain[-1] != mount and len(chain) < 32:
        chain.append(os.path.dirname(chain[-1]))
    given: frozenset[str] = frozenset()
    for path in reversed(chain):
        try:
            given = group.enable(path, needed)
        except OSError:
            if path == parent:
                group.clear(path, f"{path}/{find.LEAF}")
                given = group.enable(path, needed)
    return given & needed
