"""Mounts that show other owners than their file system holds: mount_setattr(2), MOUNT_ATTR_IDMAP. HOT.

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
from rootless.runtime.mounting import attach, detached

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.mounts.steps import Filesystem, Step


class MountIdMap(Record):
    """What one mount asks for. `containerID` of an entry is an id in the file system, `hostID` the owner
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


class MappedTmpfs(Record):
    """A tmpfs whose ids are mapped, by the container's first process."""

    tmpfs: Filesystem
    idmap: MountIdMap

    def describe(self) -> str:
        return f"{self.tmpfs.describe()} with other ids"

    def apply(self, root_fd: int) -> None:
        self.tmpfs.apply(root_fd)
        # Only a mount that is nowhere yet can be mapped.
        fd = detached(root_fd, self.tmpfs.guest_path)
        try:
            self.idmap.apply(fd)
            attach(fd, root_fd, self.tmpfs.guest_path, directory=True)
        finally:
            os.close(fd)


def prepare(plan: list[Step], *, hidden: bool) -> list[Step]:
    """`plan` with what its MappedTmpfs need; NotSupported for a process that nobody may look into."""
    found: list[Step] = []
    for step in plan:
        if isinstance(step, MappedTmpfs):
            if hidden:
                raise step.idmap.refused("the container joins namespaces and makes no user namespace")
            step = step._replace(idmap=opened_inside(step.idmap))
        found.append(step)
    return found


def read(entry: dict[str, Any], name: str, word: str) -> MountIdMap:
    """The wanted of the mount `entry`. Pure."""
    return MountIdMap(name, word, entry.get("uidMappings") or [], entry.get("gidMappings") or [])


def opened_inside(wanted: MountIdMap) -> MountIdMap:
    """With its user namespace made by the container's first process, who may still be looked into. Ids are
    given as outside of the container; none but its own can be shown."""
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
    """A descriptor of a new user namespace with these maps, which nobody lives in; the caller's."""
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
