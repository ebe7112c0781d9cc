"""Which devices there are by name: those of CDI's specification files, where they are and who may have written them, and those that
the machine has without one.

A specification mounts what it likes and runs programs, so only the administrator's files and the user's own count (trusted.py). Later
directories win, as CDI's specification (SPEC.md) has it.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

import yaml

from rootless import paths
from rootless.engine.cdi import nvidia, render_nodes, trusted
from rootless.engine.cdi.device import Device
from rootless.errors import FAILURES, InvalidInput, NotFound, RootlessError

LARGEST_BYTES = 8 << 20
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_VENDOR = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_CLASS = re.compile(r"[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?")


class Registry(NamedTuple):
    """What all files and the machine describe, by `vendor/class=name`; what is wrong with files, by path."""

    devices: dict[str, Device]
    errors: dict[str, str]

    def find(self, name: str) -> Device:
        """The device. NotFound where no file, or more than one of the same directory, describes it."""
        if name in self.devices:
            return self.devices[name]
        wrong = "; ".join(f"{path}: {error}" for path, error in sorted(self.errors.items()))
        raise NotFound(
            f"CDI device injection failed: unresolvable CDI devices {name}",
            hint=wrong or f"specifications are *.yaml and *.json in {', '.join(directories())}; those of NVIDIA, AMD and Intel are found "
            "without one: `rootless doctor -v` lists them",
        )


def is_name(word: str) -> bool:
    """Whether it is a name of CDI, `vendor/class=name`, and no path."""
    kind, equals, name = word.partition("=")
    vendor, slash, of_class = kind.partition("/")
    matches = _VENDOR.fullmatch(vendor), _CLASS.fullmatch(of_class), _NAME.fullmatch(name)
    return bool(equals and slash) and all(matches)


def directories() -> tuple[str, ...]:
    """Where specifications are looked for; what a later one says wins."""
    return "/etc/cdi", "/var/run/cdi", f"{paths.config_home()}/cdi"


def read() -> Registry:
    """All that there are, read now: a driver's update writes them anew. Of a kind that a file describes, the file alone counts."""
    found: dict[str, Device] = {}
    errors: dict[str, str] = {}
    for directory in directories():
        here: dict[str, Device] = {}
        twice: set[str] = set()
        own = directory == directories()[-1]
        for name in _files(directory, errors, own=own):
            path = f"{directory}/{name}"
            try:
                devices = _devices(path, _parse(path, _text(path, own=own)))
            except RootlessError as error:
                errors[path] = error.message
                continue
            for device, described in devices.items():
                if device in here:
                    errors[path] = f"{device} is described in {here[device].file}, too"
                    twice.add(device)
                here[device] = described
        found |= here
        for device in twice:
            del found[device]
    kinds = {name.partition("=")[0] for name in found}
    try:
        there = {name: device for name, device in machine().items() if name.partition("=")[0] not in kinds}
    except OSError as error:  # a driver that shows itself in another way than any we know
        there = {}
        errors[str(error.filename)] = f"cannot be read: {error.strerror}"
    return Registry(there | found, errors)


def machine(root: str = "") -> dict[str, Device]:
    """The devices that are found without a specification. `root`: of another tree than the machine's own."""
    return nvidia.devices(root) | render_nodes.devices(root)


def _files(directory: str, errors: dict[str, str], *, own: bool) -> list[str]:
    try:
        fd = trusted.open_directory(directory, own=own)
    except OSError:
        return []
    except RootlessError as error:
        errors[directory] = error.message
        return []
    try:
        return sorted(name for name in os.listdir(fd) if name.endswith((".json", ".yaml")) and not name.startswith("."))
    finally:
        os.close(fd)


def _text(path: str, *, own: bool) -> str:
    try:
        fd = trusted.open_file(path, own=own)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from None
    with open(fd, "rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise InvalidInput(f"has more than {LARGEST_BYTES >> 20} MiB")
    return data.decode(errors="replace")


def _parse(path: str, text: str) -> Any:
    try:
        return json.loads(text) if path.endswith(".json") else yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (*FAILURES, yaml.YAMLError) as error:
        raise InvalidInput(f"cannot be parsed: {' '.join(str(error).split())}") from None


def _devices(path: str, document: Any) -> dict[str, Device]:
    if not isinstance(document, dict):
        raise InvalidInput("is no mapping")
    version, kind, devices = (document.get(key) for key in ("cdiVersion", "kind", "devices"))
    if not re.fullmatch(r"[01]\.\d+\.\d+", str(version)):
        raise InvalidInput(f"cdiVersion {version!r} is not known")
    if not isinstance(kind, str) or not is_name(f"{kind}=x"):
        raise InvalidInput(f"invalid kind {kind!r}: vendor.com/class")
    common = document.get("containerEdits") or {}
    found = {}
    for at, device in enumerate(devices if isinstance(devices, list) else []):
        name = str(device.get("name", "")) if isinstance(device, dict) else ""
        edits = (device.get("containerEdits") or {}) if name else {}
        if not _NAME.fullmatch(name) or not isinstance(edits, dict) or not isinstance(common, dict):
            raise InvalidInput(f"devices[{at}] is no device: it needs a name and containerEdits")
        if f"{kind}={name}" in found:
            raise InvalidInput(f"devices[{at}]: {name} is there twice")
        found[f"{kind}={name}"] = Device(path, edits, common)
    if not found:
        raise InvalidInput("describes no devices")
    return found
