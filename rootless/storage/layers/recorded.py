"""Whose a file is that says so itself (runtime/owner_record.py), and files for who has no id here. Wants the session joined."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from rootless import atomic
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.runtime import owner_record
from rootless.storage.layers.attributes import OwnerMapping, RealIds
from rootless.storage.owner_file import LinkOwners, Owners

_NONE = (errno.ENODATA, errno.EOPNOTSUPP)
_REFUSED = (errno.EOPNOTSUPP, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


class Reader:
    """Whose files are. `links`: what their container has kept; None: they are no container's. `kept`: emulated ids wrote what
    they say, as where the container has kept anything.

    Elsewhere a user may write into his files what he likes, and have root own them afterwards: what they say counts where
    neither is an id here (image_owners.Whose).
    """

    def __init__(self, links: LinkOwners | None = None, *, kept: bool = False) -> None:
        self._links = links
        self._kept = kept or (links is not None and links.kept)
        self._here: RealIds | None = None

    def owner(self, fd: int, status: os.stat_result) -> tuple[int, int]:
        """The owner of the open file (O_PATH will do) whose fstat(2) is `status`: whom it names, where that is believed."""
        ids = status.st_uid, status.st_gid
        if ids != (0, 0) or not _can_say(status):
            return ids
        try:
            value = os.getxattr(_named(fd), owner_record.NAME)
        except OSError as error:
            if error.errno not in _NONE:
                raise
            return ids
        named = owner_record.decode(value.decode("ascii", "replace"), *ids)
        return ids if named is None or self._doubts(named) else named

    def owner_by_name(self, directory: int, name: str, status: os.stat_result) -> tuple[int, int]:
        """The same of a name whose lstat(2) is `status`; of another file of that name by now, what the kernel said."""
        ids = status.st_uid, status.st_gid
        if ids != (0, 0) or not _can_say(status):
            return (self._links.owner(name, directory, status) if self._links is not None else None) or ids
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except OSError:
            return ids
        try:
            return self.owner(fd, status) if os.path.samestat(os.fstat(fd), status) else ids
        finally:
            os.close(fd)

    def _doubts(self, named: tuple[int, int]) -> bool:
        if self._kept:
            return False
        if self._here is None:
            self._here = RealIds()
        return self._here.named_by(named)


def have_ids_by_now(path: str) -> bool:
    """Whether the owners.json `path` names somebody who exists here: the layer was unpacked where there were less ids."""
    uids, gids = OwnerMapping("uid"), OwnerMapping("gid")
    try:
        owners: dict[str, list[int]] = atomic.read_json(path)
        return any(uids.has(uid) and gids.has(gid) for uid, gid in owners.values())
    except (OSError, ValueError):
        return False


class Giver:
    """Gives files to ids, of which some may be none here: the file is root's then, and says whose it is."""

    def __init__(self) -> None:
        self._uids = OwnerMapping("uid")
        self._gids = OwnerMapping("gid")
        self.forgotten = 0
        """How many files are root's that should be somebody else's, since they cannot say so."""

    def give(self, fd: int, ids: tuple[int, int]) -> bool:
        """chown(2) of the open file (O_PATH will do; of a link the link itself); whether it has these ids for the kernel.
        Set-user-id bits are the caller's to set, afterwards."""
        path = _named(fd)
        here = ids[0] if self._uids.has(ids[0]) else 0, ids[1] if self._gids.has(ids[1]) else 0
        os.chown(path, *here)
        status = os.fstat(fd)
        if not _can_say(status):
            self.forgotten += here != ids
            return here == ids
        try:
            if here != ids:
                os.setxattr(path, owner_record.NAME, owner_record.encode(*ids, stat.S_IMODE(status.st_mode)))
            else:
                os.removexattr(path, owner_record.NAME)  # whoever had it before
        except OSError as error:
            if error.errno not in (*_REFUSED, *_NONE):
                raise
            self.forgotten += here != ids
        return here == ids


def say_below(upper: str, owners: Owners) -> None:
    """Have the files of the directory `upper`, that of a fuse-overlayfs which has ended, say whose they are: through it they could not. Not
    `upper` itself (drivers/rootfs.py)."""
    top = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, (uid, gid) in owners.items():
            try:
                fd = openat2(top, path, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
            except (FileNotFoundError, NotADirectoryError):
                continue  # "", or what another entry of the same step took the place of
            try:
                status = os.fstat(fd)
                if _can_say(status) and (status.st_uid, status.st_gid) == (0, 0):
                    os.setxattr(_named(fd), owner_record.NAME, owner_record.encode(uid, gid, stat.S_IMODE(status.st_mode)))
            finally:
                os.close(fd)
    finally:
        os.close(top)


def _named(fd: int) -> int | str:
    """What system calls take for it: there may be no /proc for what is no O_PATH descriptor."""
    return f"/proc/self/fd/{fd}" if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH else fd


def _can_say(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
