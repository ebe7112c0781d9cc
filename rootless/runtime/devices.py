"""What /dev holds: default nodes and links as Docker's, and spec.linux.devices. Pure. HOT."""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING
from rootless.runtime.steps import Device, Symlink

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.steps import Step

DEFAULT_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
DEFAULT_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
    "core": "/proc/kcore",
}


def default_devices() -> list[Step]:
    """The nodes and links every container has."""
    steps: list[Step] = [
        Device(f"/dev/{name}", f"/dev/{name}", os.makedev(*number))
        for name, number in DEFAULT_DEVICES.items()
    ]
    steps += [Symlink(target, f"/dev/{name}") for name, target in DEFAULT_LINKS.items()]
    return steps


def asked_devices(devices: list[dict[str, Any]]) -> list[Step]:
    """Steps for spec.linux.devices (OCI config-linux.md): bound from the host's node of the same
    path, checked to have the number asked for."""
    steps: list[Step] = []
    for device in devices:
        path = device["path"]
        if path.startswith("/dev/") and path[5:] in DEFAULT_DEVICES:
            continue
        number = 0
        if device.get("type", "c") in ("c", "u", "b") and "major" in device:
            number = os.makedev(device["major"], device["minor"])
        steps.append(Device(path, path, number))
    return steps
