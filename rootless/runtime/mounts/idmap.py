"""Mounts that show other owners than their file system holds: mount_setattr(2), MOUNT_ATTR_IDMAP.

The kernel wants CAP_SYS_ADMIN in the user namespace that mounted the file system. An ordinary user's
container has that over the tmpfs it mounts itself, and over nothing else.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import mount as m
from rootless.linux.namespace import CLONE_NEWUSER
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import namespaces
from rootless.runtime.clone import clone

if TYPE_CHECKING:
    from typing import Any


class MountIdMap(Record):
    """The ids of one mount. `containerID` of an entry is an id in the file system, `hostID` the owner
    to be shown, as the runtime's own user namespace counts."""

    name: str  # where the configuration asks for it: "mounts[2]"
    word: str  # "idmap", or "ridmap" for the mounts below too
    uid: list[dict[str, int]]
    gid: list[dict[str, int]]
    fd: int = -1  # a user namespace with these maps

    def apply(self, mount_fd: int) -> None:
        """Map the detached mount `mount_fd`; NotSupported where the kernel refuses."""
        flags = m.AT_EMPTY_PATH | (m.AT_RECURSIVE if self.word == "ridmap" else 0)
        try:
            m.mount_setattr(mount_fd, "", flags, m.MOUNT_ATTR_IDMAP, 0, 0, self.fd)
        except OSError as error:
            if error.errno == errno.EPERM:
                why = "its file system belongs to another user namespace"
            elif error.errno == errno.EINVAL:
                why = "its file system cannot do it, or has other ids already"
            else:
                why = error.strerror or ""
            raise self.refused(why) from None

    def refused(self, why: str) -> NotSupported:
        """The error of a mount that cannot be had."""
        return NotSupported(
            f"config.json: {self.name}.options: {self.word!r}: cannot be mounted with other ids: {why}",
            hint="only who mounted a file system may map its ids: real root those of the host, root of a "
            "user namespace those mounted in it, an ordinary user's container its own tmpfs",
        )


def read(entry: dict[str, Any], name: str, word: str) -> MountIdMap:
    """The map that the mount `entry` asks for, under `name` in errors. Pure."""
    return MountIdMap(name, word, entry.get("uidMappings") or [], entry.get("gidMappings") or [])


def opened_inside(wanted: MountIdMap) -> MountIdMap:
    """`wanted` with a user namespace made by the init while it is still dumpable; only ids mapped in the
    container."""
    texts = []
    for kind, entries in (("uid", wanted.uid), ("gid", wanted.gid)):
        with open(f"/proc/self/{kind}_map") as file:
            extents = [tuple(int(word) for word in line.split()) for line in file]
        texts.append(_inside(wanted, kind, entries, extents))
    return wanted._replace(fd=user_namespace(*texts))


def _inside(wanted: MountIdMap, kind: str, entries: list[dict[str, int]], extents: list[tuple[int, ...]]) -> str:
    lines = []
    for index, entry in enumerate(entries):
        first, outside, size = entry["containerID"], entry["hostID"], entry["size"]
        while size > 0:
            found = next((e for e in extents if e[1] <= outside < e[1] + e[2]), None)
            if found is None:
                raise InvalidInput(
                    f"config.json: {wanted.name}.{kind}Mappings[{index}].hostID: {outside} is none of the container's ids",
                    hint=f"linux.{kind}Mappings says which ids it has",
                )
            step = min(size, found[1] + found[2] - outside)
            lines.append(f"{first} {found[0] + outside - found[1]} {step}\n")
            first, outside, size = first + step, outside + step, size - step
    return "".join(lines)


def user_namespace(uid: str, gid: str) -> int:
    """A descriptor of a new, empty user namespace with these maps; the caller closes it."""
    ready_read, ready_write = os.pipe()
    done_read, done_write = os.pipe()
    pid = clone(CLONE_NEWUSER)
    if pid == 0:
        # /proc may be another pid namespace's, where our number is not what clone says.
        os.close(done_write)
        os.write(ready_write, os.readlink("/proc/self").encode())
        os.read(done_read, 1)
        os._exit(0)
    os.close(ready_write)
    os.close(done_read)
    try:
        number = int(os.read(ready_read, 32))
        namespaces.write_map(number, "uid", uid)
        namespaces.write_map(number, "gid", gid)
        return os.open(f"/proc/{number}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_read)
        os.close(done_write)
        os.waitpid(pid, 0)
