"""What files contain, as digests, read again only where stat(2) tells that they may have changed.

A digest is of the contents and of the extended attributes that a copy keeps: both change a file's ctime.
One is kept only where a later change must show in the file's times, that is, not while they lie within
the clock's granularity of the moment the file was read.
"""

from __future__ import annotations

import hashlib
import os
import time

from rootless.build.context.digest_table import KEY_BYTES, DigestTable
from rootless.linux.filesystem import filesystem_type
from rootless.storage.copy_data import kept_attributes
from rootless.storage.store import Store

# A timer tick is at most 10 ms. What other machines time, or nobody knows, may be seconds late.
_LOCAL = frozenset({"ext4", "xfs", "btrfs", "tmpfs", "zfs", "bcachefs", "f2fs", "overlay"})
_GRANULARITY_NS = 20_000_000
_UNKNOWN_GRANULARITY_NS = 60_000_000_000
_BLOCK = 1 << 20
_ATTEMPTS = 3
Xattrs = dict[str, bytes]


def directory(store: Store) -> str:
    """Where the tables are: one a context."""
    return store.root + "/build/contexts"


class FileHashes:
    """The digests of one context's files. `device` stands for st_dev where that is not the same twice: of a
    view of layers, whose number is its mount's. `table` None keeps nothing."""

    def __init__(self, table: str | None, *, root_fd: int, device: bytes | None = None) -> None:
        self._table = DigestTable(table) if table is not None else None
        self._device = device
        local = filesystem_type(root_fd) in _LOCAL
        self.bytes_read = 0  # of files whose digests were not known
        self._margin_ns = _GRANULARITY_NS if local else _UNKNOWN_GRANULARITY_NS

    def known(self, status: os.stat_result) -> bytes | None:
        """The digest of the file with this stat(2), where it is kept."""
        return self._table.get(self._key(status)) if self._table is not None else None

    def of(self, fd: int, status: os.stat_result) -> bytes:
        """The digest of the open regular file, whose fstat(2) was `status`: known, or read now."""
        found = self.known(status)
        if found is not None:
            return found
        for _ in range(_ATTEMPTS):
            began_ns = time.time_ns()
            found = combined(content(fd), xattrs(fd))
            after = os.fstat(fd)
            self.bytes_read += after.st_size
            if self._key(after) == self._key(status):
                self._keep(status, found, began_ns)
                break
            status = after
        assert found is not None
        return found

    def _keep(self, status: os.stat_result, digest: bytes, began_ns: int) -> None:
        settled = began_ns - self._margin_ns
        if self._table is None or status.st_ctime_ns >= settled:
            return
        if settled <= status.st_mtime_ns <= began_ns + self._margin_ns:
            return
        try:
            self._table.put(self._key(status), digest)
        except OSError:  # the disk is full: a table is a convenience, the build says so where it matters
            self._table.abandon()
            self._table = None

    def _key(self, status: os.stat_result) -> bytes:
        device = str(status.st_dev).encode() if self._device is None else self._device
        what = b"%s %d %d %d %d %d" % (
            device, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode,
        )  # fmt: skip
        return hashlib.sha256(what).digest()[:KEY_BYTES]

    def close(self) -> None:
        """Keep what was learnt."""
        if self._table is not None:
            try:
                self._table.close()
            except OSError:  # as in _keep
                self._table.abandon()
            self._table = None


def content(fd: int) -> bytes:
    """sha256 of the whole file, wherever its offset is."""
    digest = hashlib.sha256()
    position = 0
    while data := os.pread(fd, _BLOCK, position):
        digest.update(data)
        position += len(data)
    return digest.digest()


def combined(content_digest: bytes, attributes: Xattrs) -> bytes:
    """The digest of a file with extended attributes; without any, that of its contents."""
    if not attributes:
        return content_digest
    digest = hashlib.sha256(content_digest)
    for name in sorted(attributes):
        digest.update(b"%s=%d:" % (os.fsencode(name), len(attributes[name])))
        digest.update(attributes[name])
    return digest.digest()


def xattrs(fd: int) -> Xattrs:
    """The extended attributes of an open file or directory that a copy keeps."""
    try:
        return dict(kept_attributes(fd, capabilities=True))
    except OSError:  # the file system has none, or one has gone since it was listed
        return {}
