"""binfmt_misc: which interpreter executes which kind of file (Documentation/admin-guide/binfmt-misc.rst).

Since Linux 6.7 a user namespace may own an instance. execve(2) asks the nearest namespace upwards that has one, so an
instance hides those above. It ends, with its handlers, when the last mount of it does.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.linux import mount

HOST = "/proc/sys/fs/binfmt_misc"
_LINE_MAX = 1900  # the kernel takes 1920 bytes with what it adds


class Handler(NamedTuple):
    """One handler, recognised by the first bytes of a file. `flags`: P, O, C, F of the kernel's document."""

    name: str
    interpreter: str
    magic: bytes
    mask: bytes
    offset: int = 0
    flags: str = "FPC"

    def line(self) -> bytes:
        """What is written to `register`; ValueError where it would be longer than the kernel takes."""
        path = os.fsencode(self.interpreter)
        separator = next(byte for byte in b":|;!\x01" if byte not in path)
        fields = (self.name.encode(), b"M", str(self.offset).encode(), _hex(self.magic), _hex(self.mask), path, self.flags.encode())
        text = b"".join(bytes([separator]) + field for field in fields)
        if len(text) > _LINE_MAX:
            raise ValueError(f"the path of {self.interpreter!r} is too long for binfmt_misc")
        return text


def _hex(data: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in data)


def open_instance() -> int:
    """The directory of the calling user namespace's instance, made where it has none: the caller's, and what keeps
    the instance. The caller must be in a mount namespace that its user namespace owns. ENODEV: the kernel has no
    binfmt_misc; EPERM: it is older than Linux 6.7."""
    context = mount.fsopen("binfmt_misc")
    try:
        mount.fsconfig_create(context)
        tree = mount.fsmount(context)
    finally:
        os.close(context)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=tree)
    finally:
        os.close(tree)


def names(instance: int) -> list[str]:
    """The handlers registered there."""
    return sorted(set(os.listdir(instance)) - {"register", "status"})


def register(instance: int, handler: Handler) -> None:
    """Add the handler, if none has its name. With F the interpreter is opened here: OSError of its path."""
    fd = os.open("register", os.O_WRONLY | os.O_CLOEXEC, dir_fd=instance)
    try:
        os.write(fd, handler.line())
    except FileExistsError:
        pass  # another command was faster
    finally:
        os.close(fd)


def of_host() -> list[Handler]:
    """The enabled handlers by magic that this process sees mounted at their usual place; [] where none are."""
    found = []
    try:
        entries = sorted(os.listdir(HOST))
    except OSError:
        return []
    for name in entries:
        if name in ("register", "status"):
            continue
        try:
            with open(f"{HOST}/{name}", encoding="utf-8", errors="surrogateescape") as file:
                handler = _parsed(name, file.read(1 << 16))
        except (OSError, ValueError):
            continue  # removed while we looked
        if handler is not None:
            found.append(handler)
    return found


def _parsed(name: str, text: str) -> Handler | None:
    lines = text.splitlines()
    if not lines or lines[0] != "enabled":
        return None
    fields = {key.rstrip(":"): value for key, _, value in (line.partition(" ") for line in lines[1:])}
    if "magic" not in fields or "interpreter" not in fields:
        return None
    magic = bytes.fromhex(fields["magic"])
    mask = bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(magic)
    return Handler(name, fields["interpreter"], magic, mask, int(fields.get("offset", "0")), fields.get("flags", ""))
