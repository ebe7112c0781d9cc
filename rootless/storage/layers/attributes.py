"""Owners and extended attributes of a layer's files: which can be kept here, and what became of the rest."""

from __future__ import annotations

import errno
import os

from rootless.record import TYPE_CHECKING
from rootless.runtime import owner_record

if TYPE_CHECKING:
    from rootless.storage.tar.header import TarEntry

_NO_ID = (1 << 32) - 1  # chown(2): leave it as it is
_REFUSED = (errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL, errno.ENOSPC, errno.E2BIG)


def list_with_bits(value: bytes, mode: int) -> bytes:
    """A list of rights (system.posix_acl_access) that was put aside, with the file's bits as they are now: chmod(2) has changed it, too."""
    bits = {1: mode >> 6 & 7, 16: mode >> 3 & 7, 32: mode & 7}  # of the owner, the mask and all others
    entries = [value[at : at + 8] for at in range(4, len(value), 8)]
    tags = [int.from_bytes(each[:2], "little") for each in entries]
    if 16 not in tags:
        bits[4] = bits.pop(16)
    changed = [
        each[:2] + bits[tag].to_bytes(2, "little") + each[4:] if tag in bits else each
        for tag, each in zip(tags, entries, strict=True)
    ]
    return value[:4] + b"".join(changed)


class OwnerMapping:
    """Which ids exist in this user namespace (user_namespaces(7), uid_map)."""

    def __init__(self, kind: str) -> None:
        self._known: dict[int, bool] = {}
        with open(f"/proc/self/{kind}_map") as file:
            self._ranges = [(int(first), int(count)) for first, _, count in (line.split() for line in file)]

    def has(self, number: int) -> bool:
        known = self._known.get(number)
        if known is None:
            known = any(first <= number < first + count for first, count in self._ranges)
            self._known[number] = known
        return known


class RealIds:
    """Whether a record of an owner is about anybody who exists here: whose files may say what he likes."""

    def __init__(self) -> None:
        self._mappings = OwnerMapping("uid"), OwnerMapping("gid")

    def named_by(self, owner: tuple[int, int]) -> bool:
        """Whether it is root, or one of the two is another id of this user namespace."""
        return not any(owner) or any(number and mapping.has(number) for number, mapping in zip(owner, self._mappings, strict=True))


class Attributes:
    """What one extraction kept aside (`owners`) or left out (`notes`: counts by reason)."""

    def __init__(self) -> None:
        self._uids = OwnerMapping("uid")
        self._gids = OwnerMapping("gid")
        self.owners: dict[str, tuple[int, int]] = {}
        self.notes: dict[str, int] = {}
        self.many_ids = False

    def owner(self, entry: TarEntry, path: str) -> tuple[int, int]:
        """The ids that the file gets here."""
        if not (0 <= entry.uid < _NO_ID and 0 <= entry.gid < _NO_ID):
            self.note("owners that are no ids, kept as 0")
            return 0, 0
        uid = entry.uid if self._uids.has(entry.uid) else 0
        gid = entry.gid if self._gids.has(entry.gid) else 0
        if uid != entry.uid or gid != entry.gid:
            self.owners[path] = (entry.uid, entry.gid)
            if self._uids.has(1) or self._gids.has(1):  # else there is no range, and all are emulated
                self.note("owners outside your subordinate ids, kept as 0")
        self.many_ids |= uid != 0 or gid != 0
        return uid, gid

    def set_xattrs(self, fd: int, xattrs: dict[str, bytes]) -> None:
        """Those that a layer may bring and that the file system takes."""
        for name, value in xattrs.items():
            if name.startswith("trusted."):
                name = "user.rootless." + name
            elif name.startswith(
                ("user.overlay.", "user.fuseoverlayfs.", "user.rootless.", "user.containers.")
            ) or not name.startswith(("user.", "security.capability", "system.posix_acl_")):
                # The first would steer overlayfs, the last say whose a file is, and others (selinux, ima) mean the
                # machine it was made on.
                self.note("extended attributes left out")
                continue
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
                if not (error.errno == errno.EINVAL and name.startswith("system.posix_acl_") and self._aside(fd, name, value)):
                    self.note("extended attributes left out")

    def _aside(self, fd: int, name: str, value: bytes) -> bool:
        """Keep a list that names who has no id here: for emulated ids (helpers/ids/lists.c), and for `save`."""
        try:
            os.setxattr(fd, "user.rootless." + name, value)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            return False
        return True

    def keep_owner(self, fd: int, path: str, mode: int) -> None:
        """Have the file itself say whose it is, where nobody here has its owner's number: for emulated ids."""
        if path not in self.owners:
            return
        try:
            os.setxattr(fd, owner_record.NAME, owner_record.encode(*self.owners[path], mode))
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            self.note("owners that the file system cannot keep")

    def note(self, what: str) -> None:
        """Count one thing that could not be kept."""
        self.notes[what] = self.notes.get(what, 0) + 1
