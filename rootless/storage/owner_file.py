"""Owners of what can have no attribute (owner_record.py), a file in a container's directory: links, pipes, sockets.

A process of the container that emulates ids writes it (helpers/ids/apart.c): records of 64 bytes by inode and time of birth,
each with a check; one that is not whole counts as none. No container sees the file, and what it says is no more believed than
the attribute.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator

from rootless import atomic
from rootless.linux.filesystem import birth_time
from rootless.runtime.ids import OWNERS
from rootless.storage import owner_record

_RECORD = struct.Struct("=8sQqII28xI")
_MAGIC = b"owner 1\0"
_MANY = 16384 * _RECORD.size  # bytes: half of what the program keeps

Owner = tuple[int, int]


class LinkOwners:
    """The owners of one container's links, pipes and sockets."""

    def __init__(self, records: dict[tuple[int, int], Owner]) -> None:
        self._records = records
        self._inodes = {inode for inode, _ in records}

    def owner(self, name: str, dir_fd: int, status: os.stat_result) -> Owner | None:
        """The uid and gid of the file `name` of `dir_fd`, whose status that is; None: there is no record, or none is believed."""
        if status.st_ino not in self._inodes:
            return None
        found = self._records.get((status.st_ino, birth_time(name, dir_fd=dir_fd) or -1))
        return None if found is None else owner_record.believed(*found, status.st_uid, status.st_gid)


def read(container_dir: str) -> LinkOwners:
    """Those of the container whose directory that is; none where it has kept none."""
    try:
        with open(f"{container_dir}/{OWNERS}", "rb") as file:
            return LinkOwners({(inode, birth): (uid, gid) for inode, birth, uid, gid, _ in _records(file.read())})
    except FileNotFoundError:
        return LinkOwners({})


def forget_removed(container_dir: str, root: str) -> None:
    """Leave out the records of what is in the tree `root` no more, if there are many. The container must not run. OSError."""
    path = f"{container_dir}/{OWNERS}"
    try:
        if os.path.getsize(path) < _MANY:
            return
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return
    there = {(status.st_ino, birth) for status, birth in _unattributed(root)}
    newest = {record[:2]: record[4] for record in _records(data) if record[:2] in there and record[2:4] != (0, 0)}
    atomic.write_bytes(path, b"".join(newest.values()))


def _records(data: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Inode, birth, uid and gid of each that is whole, and it itself."""
    for start in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        record = data[start : start + _RECORD.size]
        magic, inode, birth, uid, gid, check = _RECORD.unpack(record)
        if magic == _MAGIC and check == check_of(record):
            yield inode, birth, uid, gid, record


def check_of(record: bytes) -> int:
    """FNV-1a of all before the check."""
    number = 2166136261
    for byte in record[:-4]:
        number = (number ^ byte) * 16777619 & 0xFFFFFFFF
    return number


def _unattributed(root: str) -> Iterator[tuple[os.stat_result, int]]:
    for _, directories, files, fd in os.fwalk(root, follow_symlinks=False):
        for name in directories + files:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                yield status, birth_time(name, dir_fd=fd) or -1
