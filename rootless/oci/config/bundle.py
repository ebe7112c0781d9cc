"""A bundle's config.json: read, checked, and made into what the runtime takes. Hot path."""

from __future__ import annotations

import os
import stat

from rootless import jsontext
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.linux.capability import CAPABILITIES
from rootless.oci.config.config_schema import CONFIG, PROCESS
from rootless.oci.config.validate import check
from rootless.oci.hooks import POINTS
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

VERSION_MIN = "1.0.0"
VERSION_MAX = "1.3.0"
# A configuration of Kubernetes with its seccomp profile has 50 KB. Read into Python a document takes
# some ten times its size: what is larger is an attack or a mistake.
LIMIT_BYTES = 16 << 20


class Bundle:
    """A bundle's directory, its checked configuration and the text it came from."""

    def __init__(self, path: str, text: bytes, spec: dict[str, Any]) -> None:
        self.path = path
        self.text = text
        self.spec = spec

    @property
    def rootfs(self) -> str:
        return os.path.normpath(os.path.join(self.path, self.spec["root"]["path"]))


def load(bundle: str, config: str | None = None) -> Bundle:
    """Read and check a bundle; NotFound, or InvalidInput naming the JSON path. Changes nothing."""
    directory = os.path.abspath(bundle)
    if not os.path.isdir(directory):
        raise NotFound(
            f"there is no bundle {directory}", hint="--bundle names a directory with a config.json"
        )
    path = config or os.path.join(directory, "config.json")
    name = "config.json" if config is None else config
    text, spec = read(path, name=name)
    check(spec, CONFIG, name=name)
    _check_sense(spec, name)
    bundle_found = Bundle(directory, text, spec)
    _check_root(bundle_found.rootfs, name)
    return bundle_found


def read(path: str, *, name: str) -> tuple[bytes, Any]:
    """A JSON file: its text and its value; NotFound or InvalidInput, with the line of a mistake."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", hint="`rootless-oci spec` writes one to begin with") from None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    with open(fd, "rb", buffering=0) as file:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise InvalidInput(f"{path} is a directory")
        text = bytearray()
        # A pipe (`--process /dev/stdin`) has no size.
        most = min(status.st_size + 1, 1 << 20) if status.st_size else 1 << 16
        while block := file.read(most):
            text += block
            if len(text) > LIMIT_BYTES:
                raise InvalidInput(
                    f"{name} is larger than {LIMIT_BYTES >> 20} MiB, the most this runtime reads"
                )
    try:
        return bytes(text), jsontext.loads(bytes(text))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise InvalidInput(f"{name} is not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput(f"{name} is not a configuration: it is nested too deeply") from None


def read_process(path: str) -> dict[str, Any]:
    """The process document of `exec --process`, checked."""
    value = read(path, name="process")[1]
    check_process(value, "process")
    return dict(value)


def check_process(process: Any, name: str) -> None:
    """A process object by itself."""
    check(process, PROCESS, name=name)
    _check_process_sense(process, name)


def _fail(name: str, path: str, message: str) -> InvalidInput:
    return InvalidInput(f"{name}: {path}: {message}")


def _check_sense(spec: dict[str, Any], name: str) -> None:
    """Check what the specification's text demands and its schema cannot express."""
    _check_version(spec["ociVersion"], name)
    if not spec.get("root"):
        raise _fail(name, "root", "is required on Linux")
    if not spec["root"]["path"]:
        raise _fail(name, "root.path", "must not be empty")
    if not spec.get("process"):
        raise _fail(name, "process", "is required to start a container")
    _check_process_sense(spec["process"], f"{name}: process")
    for index, mount in enumerate(spec.get("mounts") or []):
        if not mount["destination"].startswith("/"):
            raise _fail(name, f"mounts[{index}].destination", "must be an absolute path")
        _check_idmapped(mount, f"mounts[{index}]", name)
    for point in POINTS:
        for index, hook in enumerate((spec.get("hooks") or {}).get(point) or []):
            if not hook["path"].startswith("/"):
                raise _fail(name, f"hooks.{point}[{index}].path", "must be an absolute path")
    _check_linux_sense(spec.get("linux") or {}, name)


def _check_version(version: str, name: str) -> None:
    major, dot, rest = version.partition(".")
    if major != "1" or not dot or not rest[:1].isdecimal():
        raise _fail(name, "ociVersion", f"{version!r} is not supported, only {VERSION_MIN[0]}.x is")


def _check_idmapped(mount: dict[str, Any], path: str, name: str) -> None:
    words = mount.get("options") or []
    bind = bool({"bind", "rbind"} & set(words)) or mount.get("type") == "bind"
    given = [key for key in ("uidMappings", "gidMappings") if mount.get(key)]
    if not given and not {"idmap", "ridmap"} & set(words):
        return
    if not bind and mount.get("type") != "tmpfs":
        where = f"{path}.{given[0]}" if given else f"{path}.options"
        raise _fail(name, where, "only bind mounts and tmpfs can be mounted with other ids")
    if len(given) == 1:
        missing = "gidMappings" if given == ["uidMappings"] else "uidMappings"
        raise _fail(name, f"{path}.{missing}", "is required where the other one is given")
    if not bind and not given:
        raise _fail(
            name, f"{path}.uidMappings", "is required: a new tmpfs has the container's own ids without it"
        )


def _check_process_sense(process: dict[str, Any], name: str) -> None:
    _settle_capabilities(process)
    if not process.get("args"):
        raise InvalidInput(f"{name}.args: must have at least 1 element")
    if process.get("selinuxLabel") and not has_selinux():
        raise NotSupported(f"{name}.selinuxLabel: this host has no SELinux")
    if process.get("apparmorProfile") not in (None, "", "unconfined") and not _has_apparmor():
        raise NotSupported(f"{name}.apparmorProfile: this host has no AppArmor")
    if not process["cwd"].startswith("/"):
        raise InvalidInput(f"{name}.cwd: must be an absolute path")
    seen = set()
    for index, limit in enumerate(process.get("rlimits") or []):
        if limit["type"] in seen:
            raise InvalidInput(f"{name}.rlimits[{index}].type: {limit['type']} is given twice")
        seen.add(limit["type"])
    for index, word in enumerate(process.get("env") or []):
        if word.startswith("="):
            raise InvalidInput(f"{name}.env[{index}]: {word!r} has no name")


def _settle_capabilities(process: dict[str, Any]) -> None:
    """The kernel wants an ambient capability to be permitted and inheritable too; `runc spec` writes
    others, and runc and crun leave those out. One that nobody knows SHOULD NOT stop the container and MUST
    be warned of (config.md, capabilities). Of those that root has anyway, as it has all that are permitted, nothing is
    said: Buildah names each of them for every RUN."""
    sets = process.get("capabilities") or {}
    unknown: dict[str, None] = {}
    for kind, names in sets.items():
        unknown |= dict.fromkeys(name for name in names or () if name not in CAPABILITIES)
        sets[kind] = [name for name in names or () if name in CAPABILITIES]
    if unknown:
        LOG.warn(f"unknown capabilities are left out: {', '.join(unknown)}")
    if sets.get("ambient"):
        allowed = set(sets.get("permitted") or ()) & set(sets.get("inheritable") or ())
        had = set(sets.get("permitted") or ()) if (process.get("user") or {}).get("uid") == 0 else allowed
        if left_out := [name for name in sets["ambient"] if name not in had]:
            LOG.warn(
                f"ambient capabilities that are not permitted and inheritable are left out: {', '.join(left_out)}"
            )
        sets["ambient"] = [name for name in sets["ambient"] if name in allowed]


def _check_linux_sense(linux: dict[str, Any], name: str) -> None:
    seen: dict[str, str] = {}
    for index, entry in enumerate(linux.get("namespaces") or []):
        if entry["type"] in seen:
            raise _fail(name, f"linux.namespaces[{index}].type", f"{entry['type']!r} is given twice")
        seen[entry["type"]] = entry.get("path") or ""
        if entry.get("path") and not entry["path"].startswith("/"):
            raise _fail(name, f"linux.namespaces[{index}].path", "must be an absolute path")
    if "mount" not in seen:
        raise _fail(name, "linux.namespaces", "a container needs a mount namespace")
    if linux.get("timeOffsets") and ("time" not in seen or seen["time"]):
        raise _fail(name, "linux.timeOffsets", "needs a new time namespace")
    for key in ("uidMappings", "gidMappings"):
        if linux.get(key) and seen.get("user"):
            raise _fail(name, f"linux.{key}", "the user namespace is one that exists: it has its ids")
    for index, device in enumerate(linux.get("devices") or []):
        if not device["path"].startswith("/"):
            raise _fail(name, f"linux.devices[{index}].path", "must be an absolute path")
        if device["type"] != "p" and (device.get("major") is None or device.get("minor") is None):
            raise _fail(name, f"linux.devices[{index}]", "needs major and minor")
    if linux.get("intelRdt") is not None:  # {} asks for a class of the container's own
        raise NotSupported(
            f"{name}: linux.intelRdt: Intel RDT (resctrl) is real root's, and this runtime does not do it",
            hint="leave linux.intelRdt out",
        )
    if linux.get("memoryPolicy") is not None and not linux["memoryPolicy"].get("mode"):
        raise _fail(name, "linux.memoryPolicy.mode", "is required")
    if linux.get("mountLabel") and not has_selinux():
        raise NotSupported(f"{name}: linux.mountLabel: this host has no SELinux")


def has_selinux() -> bool:
    """Whether this host has SELinux switched on."""
    return os.path.exists("/sys/fs/selinux/enforce")


def _has_apparmor() -> bool:
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().strip() == "Y"
    except OSError:
        return False


def _check_root(rootfs: str, name: str) -> None:
    try:
        mode = os.lstat(rootfs).st_mode
    except OSError as error:
        raise _fail(name, "root.path", f"{rootfs}: {(error.strerror or '').lower()}") from None
    if stat.S_ISLNK(mode):
        raise _fail(name, "root.path", f"{rootfs} is a symbolic link, not a directory")
    if not stat.S_ISDIR(mode):
        raise _fail(name, "root.path", f"{rootfs} is not a directory")
