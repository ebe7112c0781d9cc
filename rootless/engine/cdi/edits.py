"""What named devices bring into a container: its record for one start, with their nodes, mounts and variables, and their hooks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from rootless.engine.cdi import libraries, nvidia, specs
from rootless.engine.options.mount_config import Mount, new
from rootless.engine.options.values import DeviceOption, merge_env
from rootless.engine.state.config import ContainerConfig
from rootless.errors import FAILURES, InvalidInput, NotSupported, RootlessError
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.words import GuestPath

_EDITS = {"env", "deviceNodes", "mounts", "hooks", "additionalGids", "netDevices", "intelRdt"}
_MOUNT_OPTIONS = {"ro", "rw", "bind", "rbind", "nosuid", "nodev", "noexec", "suid", "dev", "exec", "private", "rprivate", "slave",
                  "rslave", "shared", "rshared"}  # fmt: skip


_LIBRARY = ("ro", "nosuid", "nodev", "rbind", "rprivate")


class Edits(NamedTuple):
    """The edits of some devices together. `hooks` are OCI's createContainer hooks; `groups` are gids of the host; `libraries` files
    of the host by the names that the image's loader is to find them by."""

    env: list[str]
    devices: list[DeviceOption]
    mounts: list[Mount]
    hooks: list[dict[str, Any]]
    groups: list[int]
    libraries: dict[str, str]


def find(names: Sequence[str]) -> Edits:
    """What these devices bring. NotFound for one that is not described, NotSupported for what cannot be had without root."""
    registry = specs.read()
    found = Edits([], [], [], [], [], {})
    done: set[str] = set()
    for name in dict.fromkeys(names):
        device = registry.find(name)
        for edits, where in ((device.common, f"{device.file}: containerEdits"), (device.edits, f"{device.file}: {name}")):
            if edits is device.common and device.file in done:
                continue
            try:
                _add(found, edits, where)
            except RootlessError:
                raise
            except FAILURES as error:
                raise InvalidInput(f"{where}: does not follow CDI's schema: {error}") from None
        done.add(device.file)
        found.libraries.update((name, path) for path, name in device.libraries)
    return found


def of(record: ContainerConfig) -> Edits:
    """What the container's devices bring. NotSupported also for what this container cannot have of them."""
    found = find(record.get("cdi") or ())
    if found.groups and "keep-groups" not in record["group_add"]:
        groups = ", ".join(map(str, found.groups))
        raise NotSupported(f"the device needs groups of this host ({groups}), which have no ids in a container",
                           hint="if you are in them: --group-add keep-groups")  # fmt: skip
    if found.hooks and record["pid"].startswith("container:"):
        # A hook is a program in the container's namespaces with the host's files in view: whoever is in there, too, and may
        # trace it (a debugger's container, a privileged one), would have those by it.
        raise NotSupported("the device needs hooks, which are not run where other containers see the processes",
                           hint="give it to one with processes of its own: no --pid container:..., no pod that shares pid")  # fmt: skip
    return found


def apply(record: ContainerConfig, root: Rootfs) -> ContainerConfig:
    """The record for this start, with `hooks`. What the user mounts himself at a place stands there. `root`: the container's, to
    find the place of libraries in it."""
    found = of(record)
    taken = {mount["target"] for mount in record["mounts"]} | {device["target"] for device in record["devices"]}
    if found.libraries:
        found.mounts.extend(_placed(found.libraries, root))
    mounts = {mount["target"]: mount for mount in found.mounts if mount["target"] not in taken}
    devices = {device["target"]: device for device in found.devices if device["target"] not in taken}
    changed = record.copy()
    changed["env"] = merge_env(record["env"], found.env)
    # Parents before children, so that one does not cover the other.
    changed["mounts"] = sorted([*mounts.values(), *record["mounts"]], key=lambda mount: mount["target"].count("/"))
    changed["devices"] = [*devices.values(), *record["devices"]]
    changed["hooks"] = found.hooks
    return changed


def _placed(wanted: dict[str, str], root: Rootfs) -> list[Mount]:
    """The mounts that put the libraries where the image's loader looks. Said aloud where it will not take them."""
    with mounted(root) as root_fd:
        libc = libraries.of_image(root_fd)
    if libc is None:
        print("rootless: the image has no glibc, for which the driver's libraries are made: they are left out", file=sys.stderr)
        return []
    least = max((libraries.wanted_glibc(wanted[name]) for name in nvidia.FIRST if name in wanted), default=(0, 0))
    if (0, 0) < libc.version < least:
        print(f"rootless: the driver's libraries want glibc {least[0]}.{least[1]}, and the image has {libc.version[0]}.{libc.version[1]}: "
              "what needs them may not start; an image of a newer distribution has it", file=sys.stderr)  # fmt: skip
    return [_mount({"hostPath": path, "containerPath": f"{libc.directory}/{name}", "options": list(_LIBRARY)}, "the driver's libraries")
            for name, path in wanted.items()]  # fmt: skip


def _add(found: Edits, edits: dict[str, Any], where: str) -> None:
    for key in ("netDevices", "intelRdt"):
        if edits.get(key):
            raise NotSupported(f"{where}: {key} needs root", hint="choose a device without it")
    if unknown := edits.keys() - _EDITS:
        raise InvalidInput(f"{where}: {', '.join(sorted(unknown))}: no such edit")
    for word in edits.get("env") or ():
        if not str(word).partition("=")[0] or "=" not in str(word):
            raise InvalidInput(f"{where}: env: {word!r} is no NAME=VALUE")
        found.env.append(str(word))
    found.devices.extend(_node(node, where) for node in edits.get("deviceNodes") or ())
    found.mounts.extend(_mount(mount, where) for mount in edits.get("mounts") or ())
    found.hooks.extend(_hook(hook, where) for hook in edits.get("hooks") or ())
    found.groups.extend(int(gid) for gid in edits.get("additionalGids") or ())


def _node(node: dict[str, Any], where: str) -> DeviceOption:
    source, target = str(node.get("hostPath") or node["path"]), os.path.normpath(str(node["path"]))
    if not source.startswith("/") or not target.startswith("/"):
        raise InvalidInput(f"{where}: deviceNodes: {source} is no absolute path")
    try:
        there = os.stat(source)
    except OSError as error:
        hint = "is the driver loaded? Nodes are the host's: making one needs root"
        if source == nvidia.UVM:
            hint = "on the host, nvidia-modprobe -u -c=0 makes it; nvidia-persistenced, which the administrator starts, keeps it"
        raise InvalidInput(f"{where}: {source}: {error.strerror}", hint=hint) from None
    numbers = node.get("major"), node.get("minor")
    if node.get("type") != "p" and None not in numbers and numbers != (os.major(there.st_rdev), os.minor(there.st_rdev)):
        raise InvalidInput(f"{where}: {source} has the numbers {os.major(there.st_rdev)}:{os.minor(there.st_rdev)}, and not "
                           f"{numbers[0]}:{numbers[1]}", hint="write the specification anew, as its driver's tool does")  # fmt: skip
    return {"source": source, "target": target, "permissions": str(node.get("permissions") or "rwm")}


def _mount(asked: dict[str, Any], where: str) -> Mount:
    kind, source, target = str(asked.get("type") or "bind"), str(asked["hostPath"]), str(asked["containerPath"])
    options = [str(word) for word in asked.get("options") or ()]
    if kind not in ("bind", "none", "tmpfs") or not target.startswith("/"):
        raise NotSupported(f"{where}: a mount of type {kind} at {target} is not supported", hint="bind and tmpfs are what there is")
    mount = new("tmpfs" if kind == "tmpfs" else "bind", GuestPath(os.path.normpath(target)))
    mount["read_only"] = "ro" in options
    if kind == "tmpfs":
        mount["options"] = [word for word in options if word not in ("ro", "rw")]
        return mount
    if unknown := set(options) - _MOUNT_OPTIONS:
        raise NotSupported(f"{where}: mount options {', '.join(sorted(unknown))} are not supported", hint=" ".join(sorted(_MOUNT_OPTIONS)))
    if not source.startswith("/") or not os.path.exists(source):
        raise InvalidInput(f"{where}: {source}: no such file or directory", hint="write the specification anew, as its driver's tool does")
    mount["source"] = source
    mount["options"] = [word for word in options if word not in ("ro", "rw")]
    return mount


def _hook(asked: dict[str, Any], where: str) -> dict[str, Any]:
    if asked["hookName"] != "createContainer":
        raise NotSupported(f"{where}: a {asked['hookName']} hook is not supported", hint="createContainer hooks are run")
    path = str(asked["path"])
    if not path.startswith("/"):
        raise InvalidInput(f"{where}: hooks: {path} is no absolute path")
    # Without variables of its own it gets none of ours, and never the container's.
    hook: dict[str, Any] = {
        "path": path, "args": [str(word) for word in asked.get("args") or (path,)],
        "env": [str(word) for word in asked.get("env") or ("PATH=/usr/sbin:/usr/bin:/sbin:/bin",)],
    }  # fmt: skip
    if asked.get("timeout"):
        hook["timeout"] = int(asked["timeout"])
    return hook
