"""Which devices there are by name: those of CDI's specification files, where they are and who may have written them, and those that
the machine has without one.

A specification mounts what it likes and runs programs, so only the administrator's files and the user's own count: a file, or a
directory of them, that others may write is refused. Later directories win, as CDI's specification (SPEC.md) has it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any, NamedTuple

import yaml

from rootless import paths
from rootless.engine.cdi import nvidia, render_nodes
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
        for name in _files(directory, errors, own=directory == directories()[-1]):
            path = f"{directory}/{name}"
            try:
                devices = _devices(path, _parse(path, _text(path)))
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
        own = {name: device for name, device in machine().items() if name.partition("=")[0] not in kinds}
    except OSError as error:  # a driver that shows itself in another way than any we know
        own = {}
        errors[str(error.filename)] = f"cannot be read: {error.strerror}"
    return Registry(own | found, errors)


def machine(root: str = "") -> dict[str, Device]:
    """The devices that are found without a specification. `root`: of another tree than the machine's own."""
    return nvidia.devices(root) | render_nodes.devices(root)


def _files(directory: str, errors: dict[str, str], *, own: bool) -> list[str]:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        about = os.fstat(fd)
        # Below /tmp, say, anybody can have made it, and in the session's user namespace anybody looks like root.
        if own and about.st_uid != os.geteuid():
            raise InvalidInput("it belongs to another user")
        _trusted(about, directory)
        return sorted(name for name in os.listdir(fd) if name.endswith((".json", ".yaml")) and not name.startswith("."))
    except RootlessError as error:
        errors[directory] = error.message
        return []
    finally:
        os.close(fd)


def _trusted(about: os.stat_result, path: str) -> None:
    """InvalidInput for what others than root and we may write.

    In the session's user namespace our uid is 0, and root's is nobody's (as anybody's who has no id there). A file of somebody
    else's in /etc/cdi can only have been put there by root.
    """
    if about.st_mode & 0o022:
        raise InvalidInput(f"others than its owner may write it: chmod go-w {path}")
    with open("/proc/sys/fs/overflowuid") as file:
        nobody = int(file.read())
    if about.st_uid not in (0, os.geteuid(), nobody):
        raise InvalidInput(f"it belongs to uid {about.st_uid}, who is neither root nor you")


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would keep us waiting
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from None
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise InvalidInput("is no regular file")
        _trusted(about, path)
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
