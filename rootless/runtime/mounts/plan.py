"""From an OCI configuration to the list of steps that make the file system. Pure.

`rootless --debug` prints it; a failure names its step. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.linux.mount import MS_RDONLY
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounts.bind import EXACT, Bind
from rootless.runtime.mounts.devices import asked_devices, default_devices
from rootless.runtime.mounts.masks import Kept, Mask, ReadonlyMounts, ReadonlyPath, ReadonlyRoot
from rootless.runtime.mounts.mount_options import parse_options
from rootless.runtime.mounts.notes import NOTES, Note
from rootless.runtime.mounts.steps import CgroupMount, Filesystem, HostTree, Proc, Sysctl, Sysfs

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.mounts.steps import Step

ACCOUNT = "io.rootless.account"
"""In our OCI configurations: the fields of an Account to be made known."""
_FILESYSTEMS = frozenset(("tmpfs", "mqueue", "ramfs", "overlay", "cgroup2", "binder", "bpf"))
# Those that SELinux lets a user namespace label (selinux_set_mnt_opts in the kernel).
_LABELLED = frozenset(("tmpfs", "ramfs", "devpts", "overlay"))
_IPC_SYSCTLS = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")


class PlanFacts(Record):
    """Facts outside the configuration that the plan depends on."""

    own_pid: bool  # the pid namespace belongs to the container's user namespace
    own_network: bool
    own_ipc: bool
    own_uts: bool
    tty_group: bool = True  # gid 5 has a mapping: devpts may give terminals to group tty
    # For `rootless-oci`, where the configuration is anybody's and we may be real root:
    base: str = ""  # what relative sources are relative to; empty: there are none
    any_filesystem: bool = False  # types we know nothing of are the kernel's to judge
    make_nodes: bool = False  # devices are made where that is allowed, not bound
    mount_label: str = ""  # linux.mountLabel


def build_plan(
    spec: dict[str, Any], circumstances: PlanFacts, *, root_readonly: bool = False
) -> list[Step]:
    """The steps in the order they must be applied; InvalidInput for what cannot be planned. Those of
    masks.CLOSING, at the end, wait for all else that is made in the container's file system."""
    linux = spec.get("linux") or {}
    steps: list[Step] = []
    held: list[int] = []
    for index, entry in enumerate(spec.get("mounts") or []):
        steps += _closing_later(mount_step(entry, circumstances, f"mounts[{index}]"), held)
    # After the mounts: /dev itself is one of them.
    if not _dev_from_host(spec):
        steps += default_devices(make=circumstances.make_nodes)
    steps += asked_devices(linux.get("devices") or [], make=circumstances.make_nodes)
    ours = not circumstances.any_filesystem  # and not anybody's, in which our words mean nothing
    steps += [Note(*words) for words in (spec.get(NOTES) if ours else None) or ()]
    if ours and spec.get(ACCOUNT):
        from rootless.runtime.process.account import Account

        steps.append(Account(*spec[ACCOUNT]))
    # Before /proc/sys becomes read-only.
    for name, value in (linux.get("sysctl") or {}).items():
        steps.append(_sysctl(name, str(value), circumstances))
    steps += [ReadonlyPath(path) for path in linux.get("readonlyPaths") or []]
    steps += [Mask(path) for path in linux.get("maskedPaths") or []]
    if any(isinstance(step, Kept) for step in steps):
        steps.append(ReadonlyMounts(held))
    if root_readonly or (spec.get("root") or {}).get("readonly"):
        steps.append(ReadonlyRoot())
    return steps


def with_trees(plan: list[Step], trees: dict[str, int]) -> list[Step]:
    """The plan with these detached mounts for the binds at their guest paths, in place of a source. Pure."""
    return [
        step._replace(fd=trees[step.guest_path]) if isinstance(step, Bind) and step.guest_path in trees else step
        for step in plan
    ]


def _closing_later(step: Step, held: list[int]) -> list[Step]:
    """`step`; and a new file system of the container's own writable for now, with what holds it, where
    something may have to be made in it: mount points, what lies below a tmpcopyup, all of /dev. A bind is
    read-only at once: nothing is ever made in what its owner gives read-only."""
    mount = getattr(step, "tmpfs", step)  # MappedTmpfs
    if not isinstance(mount, Filesystem) or not mount.flags & MS_RDONLY:
        return [step]
    if mount.fstype not in ("tmpfs", "ramfs") and mount.guest_path.rstrip("/") != "/dev":
        return [step]
    writable = mount._replace(flags=mount.flags & ~MS_RDONLY)
    step = writable if mount is step else step._replace(tmpfs=writable)  # type: ignore[attr-defined]
    return [step, Kept(mount.guest_path, held)]


def _dev_from_host(spec: dict[str, Any]) -> bool:
    """Whether /dev is a bind of a whole directory: then it has its nodes already."""
    return any(
        entry["destination"].rstrip("/") == "/dev" and _is_bind(entry) for entry in spec.get("mounts") or []
    )


def _is_bind(entry: dict[str, Any]) -> bool:
    words = entry.get("options") or []
    return entry.get("type") == "bind" or "bind" in words or "rbind" in words


def mount_step(entry: dict[str, Any], circumstances: PlanFacts, name: str) -> Step:
    """What is done for one of the configuration's mounts, which errors call `name`; InvalidInput."""
    guest_path = entry["destination"]
    if not guest_path.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{guest_path}' mount path must be absolute")
    options = parse_options(entry.get("options") or [])
    idmap = None
    if options.idmap:
        # Loaded now: whoever applies the step can import nothing any more.
        from rootless.runtime.mounts.idmap import read
        from rootless.runtime.mounts.mapped_tmpfs import MappedTmpfs

        idmap = read(entry, name, options.idmap)
    if "io.rootless.subpath" in entry and not circumstances.any_filesystem:
        # Loaded now: whoever applies the step can import nothing any more.
        from rootless.runtime.mounts import mount_parts

        return mount_parts.of(entry, options)
    if _is_bind(entry):
        if options.data:
            raise InvalidInput(f"unknown mount option {options.data!r} of {guest_path}")
        if not entry.get("source"):
            raise InvalidInput(f"the bind mount at {guest_path} has no source")
        return Bind(os.path.join(circumstances.base, entry["source"]), guest_path, options, idmap=idmap,
                    exact=bool(entry.get(EXACT)))  # fmt: skip
    fstype = entry.get("type") or ""
    if idmap is not None and (fstype != "tmpfs" or options.copy_up):
        raise InvalidInput(
            f"config.json: {name}.options: {options.idmap!r} is for bind mounts, and for tmpfs without tmpcopyup"
        )
    if fstype == "proc":
        if not circumstances.own_pid:
            return HostTree("/proc", guest_path, writable=not options.flags & MS_RDONLY)
        return Proc(guest_path, options.flags, options.data)
    if fstype == "sysfs":
        return Sysfs(guest_path, options.flags) if circumstances.own_network else HostTree("/sys", guest_path)
    if fstype == "cgroup":
        return CgroupMount(guest_path, options.flags)
    if fstype == "devpts":
        data = _labelled(_devpts_data(options.data, circumstances), "devpts", circumstances)
        return Filesystem("devpts", guest_path, options.flags, data)
    if fstype == "mqueue" and not circumstances.own_ipc:
        return HostTree("/dev/mqueue", guest_path, writable=not options.flags & MS_RDONLY, optional=True)
    known = fstype in _FILESYSTEMS or fstype.startswith("fuse")
    if known or (fstype and circumstances.any_filesystem):
        source = entry.get("source") if circumstances.any_filesystem else None
        if options.copy_up:
            # Loaded now: whoever applies the step can import nothing any more.
            from rootless.runtime.mounts import copyup  # noqa: F401
        step = Filesystem(
            fstype,
            guest_path,
            options.flags,
            _labelled(options.data, fstype, circumstances),
            source or "",
            options.copy_up,
            options.propagation,
        )
        if idmap is None and fstype == "tmpfs" and "id=" in options.data and not circumstances.any_filesystem:
            from rootless.runtime.mounts import owners

            return owners.owned(step)
        return step if idmap is None else MappedTmpfs(step, idmap)
    raise InvalidInput(f"unknown mount type {fstype!r} for {guest_path}")


def _labelled(data: str, fstype: str, circumstances: PlanFacts) -> str:
    if not circumstances.mount_label or fstype not in _LABELLED:
        return data
    return ",".join(word for word in (data, f'context="{circumstances.mount_label}"') if word)


def _devpts_data(data: str, circumstances: PlanFacts) -> str:
    words = [word for word in data.split(",") if word]
    if not circumstances.tty_group:
        # The kernel refuses an id that has no mapping; terminals then belong to our own group.
        words = [word for word in words if not word.startswith("gid=")]
    return ",".join(words)


def _sysctl(name: str, value: str, circumstances: PlanFacts) -> Step:
    dotted = name.replace("/", ".")
    if dotted.startswith("net."):
        own, namespace = circumstances.own_network, "network"
    elif dotted.startswith(_IPC_SYSCTLS):
        own, namespace = circumstances.own_ipc, "ipc"
    elif dotted in ("kernel.domainname", "kernel.hostname"):
        own, namespace = circumstances.own_uts, "uts"
    else:
        raise InvalidInput(f"sysctl '{name}' is not allowed: it is the whole machine's, not a container's")
    if not own:
        raise InvalidInput(f"sysctl '{name}' not allowed in host {namespace} namespace")
    if ".." in name.split("/"):
        raise InvalidInput(f"invalid sysctl name '{name}'")
    return Sysctl(name, value)
