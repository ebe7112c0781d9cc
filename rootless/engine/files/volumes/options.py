"""The options of `volume create` in Docker's words, as mount(8) has them: type, o and device. Pure.

Without root two kinds can be: a directory of the host by another name (type none, o bind), and a tmpfs.
"""

from __future__ import annotations

from rootless.engine.options.values import parse_bytes
from rootless.errors import InvalidInput, NotSupported
from rootless.storage.volumes import Volume

_FLAGS = frozenset(("ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "relatime"))
_TMPFS = ("mode", "uid", "gid", "nr_inodes", "nr_blocks")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p")


def check(options: dict[str, str]) -> None:
    """Raise InvalidInput, or NotSupported for what only root could mount."""
    for key in options:
        if key not in ("type", "o", "device"):
            why = "there are no quotas without root" if key == "size" else "known options: type, o, device"
            raise InvalidInput(f'invalid option: "{key}"', hint=why)
    if not options:
        return
    kind, device, words = options.get("type", ""), options.get("device", ""), _words(options)
    if kind in _NETWORK or kind == "overlay":
        raise NotSupported(
            f"a volume of type {kind} needs root",
            hint="where it is mounted already, name its place: -o type=none -o o=bind -o device=DIRECTORY",
        )
    if kind == "tmpfs":
        for word in words:
            _tmpfs(word)
        return
    if kind not in ("", "none", "bind") or not ("bind" in words or "rbind" in words):
        raise NotSupported(
            f"a volume of type '{kind}' with o={options.get('o', '')} needs root",
            hint="-o type=none -o o=bind -o device=DIRECTORY, or -o type=tmpfs -o device=tmpfs -o o=size=64m",
        )
    if not device:
        raise InvalidInput("missing device in volume options", hint="-o device=DIRECTORY")
    if not device.startswith("/"):
        raise InvalidInput(f"device {device} is not an absolute path", hint="-o device=$PWD/" + device)
    for word in words:
        if word not in ("bind", "rbind") and word not in _FLAGS:
            raise InvalidInput(f"invalid volume option: o={word}")


def of_mount(volume: Volume) -> tuple[str, str, list[str]]:
    """What is mounted for the volume: the kind, the source and the options of an OCI mount."""
    options = volume.options
    words = _words(options)
    if options.get("type") == "tmpfs":
        defaults = [word for word in ("nosuid", "nodev") if word[2:] not in words]
        return "tmpfs", "tmpfs", [*defaults, *(_tmpfs(word) for word in words)]
    if not options:
        return "bind", volume.path, ["rbind", "rprivate"]
    recursive = [] if "bind" in words or "rbind" in words else ["rbind"]
    return "bind", options["device"], [*recursive, *words, "rprivate"]


def _words(options: dict[str, str]) -> list[str]:
    return [word for word in options.get("o", "").split(",") if word]


def _tmpfs(word: str) -> str:
    name, equals, value = word.partition("=")
    if name == "size" and equals:
        return f"size={parse_bytes(value, name='tmpfs size')}"
    if word in _FLAGS or (name in _TMPFS and value.isalnum()):
        return word
    raise InvalidInput(
        f"invalid tmpfs option: {word}", hint="size, mode, uid, gid, nr_inodes, ro, nosuid, noexec ..."
    )
