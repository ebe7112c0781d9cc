"""Files that a start makes for one of the container's ids, where the container has one id and the others are emulated.

Loaded by the plan, since whoever applies a step can import nothing any more.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import NotSupported
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import owner_record
from rootless.runtime.rootfs_path import mount_target

if TYPE_CHECKING:
    from rootless.runtime.mounts.steps import Filesystem


def one_id() -> bool:
    """Whether our user namespace has one id, root's, as that of a user to whom no range was given."""
    for kind in ("uid", "gid"):
        with open(f"/proc/self/{kind}_map", "rb", buffering=0) as file:
            if file.read().split()[::2] != [b"0", b"1"]:
                return False
    return True


def give(fd: int, uid: int, gid: int, mode: int, name: str) -> None:
    """chown(2) and chmod(2) of an open file, which errors call `name`. With one id it is root's and says whose it is."""
    try:
        os.fchown(fd, uid, gid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        if not one_id():
            raise NotSupported(
                f"{name} cannot be {uid}:{gid}'s: there is no such id here",
                hint="/etc/subuid and /etc/subgid say how many ids your containers have",
            ) from None
        _record(fd, uid, gid, mode, name)
    os.fchmod(fd, mode)


def _record(fd: int, uid: int, gid: int, mode: int, name: str) -> None:
    try:
        os.setxattr(fd, owner_record.NAME, owner_record.encode(uid, gid, mode))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise NotSupported(
            f"{name} cannot be {uid}:{gid}'s: containers have one id here, and this kernel's tmpfs keeps no emulated owners",
            hint="leave uid= and gid= out, or use Linux 6.6 or later",
        ) from None


class OwnedTmpfs(Record):
    """A tmpfs whose options say whose it is: `uid` and `gid` are in them, too."""

    tmpfs: Filesystem
    uid: int
    gid: int

    def describe(self) -> str:
        return self.tmpfs.describe()

    def apply(self, root_fd: int) -> None:
        if not one_id() or not (self.uid or self.gid):
            self.tmpfs.apply(root_fd)
            return
        kept = [word for word in self.tmpfs.data.split(",") if not word.startswith(("uid=", "gid="))]
        self.tmpfs._replace(data=",".join(kept)).apply(root_fd)
        place = mount_target(root_fd, self.tmpfs.guest_path, directory=True)
        try:
            fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            os.close(place)
        try:
            _record(fd, self.uid, self.gid, os.fstat(fd).st_mode, f"the tmpfs at {self.tmpfs.guest_path}")
        finally:
            os.close(fd)


def owned(step: Filesystem) -> Filesystem | OwnedTmpfs:
    """The step with what is needed for its uid= and gid=; itself where these say nothing that is a number."""
    words = dict(word.split("=", 1) for word in step.data.split(",") if word.startswith(("uid=", "gid=")))
    uid, gid = words.get("uid", "0"), words.get("gid", "0")
    return OwnedTmpfs(step, int(uid), int(gid)) if uid.isdecimal() and gid.isdecimal() else step
