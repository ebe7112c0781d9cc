"""Writing a copy into the root that is built.

Runs in the session, as root of all mapped ids. Every name is made relative to an open directory, and what is
there is never followed: the destination was resolved before (destination.py).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from rootless.build.context.file_hashes import Xattrs, combined, content, xattrs
from rootless.build.copy import destination
from rootless.build.copy.entries import Entry, EntryDigest, LeftOut, Rules, open_file, payload_of
from rootless.errors import Conflict, RootlessError
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.storage import disk_errors
from rootless.storage.copy_data import copy_data
from rootless.storage.layers import recorded

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Up to here one read and one write cost less than asking the file system to share.
_SMALL_BYTES = 128 << 10


T = TypeVar("T")


class _Level(NamedTuple):
    """A directory that is being filled: its descriptor is ours. `times`: of its source, to be set at the end."""

    fd: int
    target: str
    times: int | None


class Owners:
    """Who owns what is written, and who should where that has no id here: {path in the root: (uid, gid)}."""

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd
        self._giver = recorded.Giver()
        self.unmapped: dict[str, tuple[int, int]] = {}

    def give(self, fd: int, ids: tuple[int, int]) -> None:
        """chown(2) of an open file (O_PATH will do); of a link, the link itself."""
        if not self._giver.give(fd, ids):
            self.unmapped[destination.real_path(self._root, fd)] = ids


class Writer:
    """Writes one source's entries below the open directory `directory` (stays the caller's).

    `renamed`: a file that is named as the source, and written under this name. `overwrites` tells whether
    directories that are there get what the source's are. `mtime_ns` replaces the times of all files.
    """

    def __init__(
        self,
        directory: int,
        rules: Rules,
        owners: Owners,
        digest: EntryDigest,
        left_out: LeftOut,
        *,
        renamed: str | None = None,
        overwrites: bool = True,
        mtime_ns: int | None = None,
    ) -> None:
        self._top = directory
        self._rules = rules
        self._owners = owners
        self._digest = digest
        self._left_out = left_out
        self._renamed = renamed
        self._overwrites = overwrites
        self._mtime_ns = mtime_ns
        self._levels: list[_Level] = []
        self.files = 0
        self.bytes = 0

    def close(self) -> None:
        """Close the directories that are open; idempotent."""
        while self._levels:
            os.close(self._levels.pop().fd)

    def write(self, entry: Entry) -> None:
        """Write one entry; they come as the walk found them. Conflict where something else is in the way."""
        if entry.found.leaving:
            level = self._levels.pop()
            try:
                if level.times is not None:
                    os.utime(level.fd, ns=(level.times, level.times))
            finally:
                os.close(level.fd)
            return
        self.files += 1
        try:
            self._write(entry)
        except OSError as error:
            raise cannot_write(entry.target, error) from error

    def _write(self, entry: Entry) -> None:
        parent = self._levels[-1].fd if self._levels else self._top
        name = self._renamed or entry.target.rpartition("/")[2]
        mode = entry.found.status.st_mode
        if stat.S_ISDIR(mode):
            self._directory(entry, parent, name)
            return
        if entry.first is not None and self._link(entry, parent, name):
            self._digest.add(entry, self._rules, b"")
            return
        if stat.S_ISREG(mode):
            self._file(entry._replace(first=None), parent, name, written_as=entry)
            return
        payload, _ = payload_of(entry)
        if stat.S_ISLNK(mode):
            _put(parent, name, lambda: os.symlink(os.fsdecode(payload), name, dir_fd=parent))
        else:
            _put(parent, name, lambda: os.mkfifo(name, 0o600, dir_fd=parent))
        self._settle(entry, parent, name)
        self._digest.add(entry, self._rules, payload)

    def _directory(self, entry: Entry, parent: int, name: str) -> None:
        status = entry.found.status
        made = True
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            made = False
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=parent)
        except NotADirectoryError:
            raise Conflict(f"cannot copy to non-directory: {entry.target}") from None
        except OSError as error:
            if made:
                raise
            raise Conflict(f"cannot copy to non-directory: {entry.target}") from error
        given = made or self._overwrites
        self._levels.append(_Level(fd, entry.target, self._time(status) if given else None))
        payload, _ = payload_of(entry)
        if given:
            self._owners.give(fd, self._rules.ids(entry, status))
            self._set_xattrs(entry, fd, xattrs(entry.found.fd) if payload else {})
            os.fchmod(fd, self._rules.bits(status))
        self._digest.add(entry, self._rules, payload)

    def _file(self, entry: Entry, parent: int, name: str, *, written_as: Entry) -> None:
        source, before = open_file(entry)
        try:
            target = _put(parent, name, lambda: os.open(name, _CREATE, 0o600, dir_fd=parent))
            try:
                _copy(source, target, before.st_size)
                attributes = xattrs(source)
                after = os.fstat(source)
                known = entry.tree.hashes.known(before) if _unchanged(before, after) else None
                # What may have changed since it was read for the key is read where nobody changes it.
                payload = known or combined(content(target), attributes)
                self._owners.give(target, self._rules.ids(entry, before))
                self._set_xattrs(entry, target, attributes)
                os.fchmod(target, self._rules.bits(before))
                when = self._time(before)
                os.utime(target, ns=(when, when))
                self.bytes += before.st_size
            finally:
                os.close(target)
        finally:
            os.close(source)
        self._digest.add(written_as._replace(found=entry.found._replace(status=before)), self._rules, payload)

    def _link(self, entry: Entry, parent: int, name: str) -> bool:
        """Make a hard link to what an earlier entry became; whether that could be done."""
        assert entry.first is not None
        above, _, first = entry.first.rpartition("/")
        try:
            fd = openat2(
                self._top, above or ".", os.O_PATH | os.O_DIRECTORY, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
            )
        except OSError:
            return False
        try:
            _put(parent, name, lambda: os.link(first, name, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False))
        except OSError:  # too many links to one file, or the first was replaced by another source: a copy is as good
            return False
        finally:
            os.close(fd)
        return True

    def _settle(self, entry: Entry, parent: int, name: str) -> None:
        """Owner, mode and time of what has no descriptor to set them by."""
        status = entry.found.status
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            self._owners.give(fd, self._rules.ids(entry, status))
            if not stat.S_ISLNK(status.st_mode):
                os.chmod(f"/proc/self/fd/{fd}", self._rules.bits(status))
            when = self._time(status)
            os.utime(f"/proc/self/fd/{fd}", ns=(when, when))
        finally:
            os.close(fd)

    def _set_xattrs(self, entry: Entry, fd: int, attributes: Xattrs) -> None:
        for name, value in attributes.items():
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.E2BIG):
                    raise
                self._left_out.add("extended attributes that cannot be kept here, left out", entry.source)

    def _time(self, status: os.stat_result) -> int:
        return status.st_mtime_ns if self._mtime_ns is None else self._mtime_ns


def cannot_write(what: str, error: OSError) -> RootlessError:
    """The error where the kernel refuses a file of the copy."""
    return disk_errors.failed(f"cannot write {what!r}", error, "")


def _put(parent: int, name: str, make: Callable[[], T]) -> T:
    """What `make` makes at `name`, in place of a file or link that is there. Conflict where that is a directory."""
    try:
        return make()
    except FileExistsError:
        pass
    if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise Conflict(f"cannot replace to directory {name} with file")
    os.unlink(name, dir_fd=parent)
    return make()


def _unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (after.st_size, after.st_mtime_ns, after.st_ctime_ns)


def _copy(source: int, target: int, size: int) -> None:
    if size > _SMALL_BYTES:
        copy_data(source, target, size)
        return
    data = os.pread(source, size, 0)
    while data:
        data = data[os.write(target, data) :]
