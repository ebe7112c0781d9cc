"""What /dev holds: default nodes and links as Docker's, and spec.linux.devices. Hot path."""

from __future__ import annotations

import os
import stat

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.runtime.mounts.dev_steps import DeviceNode, Node, Symlink

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.mounts.steps import Step

DEFAULT_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
DEFAULT_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
    "core": "/proc/kcore",
}


def default_devices(*, make: bool = False) -> list[Step]:
    """The nodes and links every container has."""
    steps: list[Step] = []
    for name, number in DEFAULT_DEVICES.items():
        path, rdev = f"/dev/{name}", os.makedev(*number)
        if make:
            steps.append(Node(path, stat.S_IFCHR | 0o666, rdev))
        else:
            steps.append(DeviceNode(path, path, rdev))
    for name, target in DEFAULT_LINKS.items():
        # As runc and Docker: a kernel without kcore gets no dangling link to it.
        if name != "core" or os.path.exists(target):
            steps.append(Symlink(target, f"/dev/{name}"))
    return steps


def _number(device: dict[str, Any]) -> int:
    try:
        return os.makedev(device["major"], device["minor"])
    except (KeyError, OverflowError):
        raise InvalidInput(f"device {device['path']} needs a major and a minor number") from None


def asked_devices(devices: list[dict[str, Any]], *, make: bool = False) -> list[Step]:
    """Steps for spec.linux.devices (OCI config-linux.md): bound from the host's node of that number, at the
    same path or elsewhere in /dev; with `make` made where that is allowed.

    What every container has anyway is left out, and so is /dev/ptmx, which callers list among all of a
    host's devices: through the link of that name the host's would come to stand over the container's own."""
    steps: list[Step] = []
    for device in devices:
        path = device["path"]
        name = os.path.normpath(path).removeprefix("/dev/")
        if name in DEFAULT_DEVICES or name == "ptmx":
            continue
        number = 0
        if device.get("type", "c") in ("c", "u", "b") and "major" in device:
            number = _number(device)
        kind = _KINDS[device.get("type", "c")]
        if make:
            mode = kind | int(device.get("fileMode") or 0o666) & 0o777
            steps.append(Node(path, mode, number, device.get("uid") or 0, device.get("gid") or 0))
        else:
            steps.append(DeviceNode(path, path, number, kind))
    return steps
