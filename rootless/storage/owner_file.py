"""Owners of what can have no attribute (owner_record.py), a file in a container's directory: links, pipes, sockets.

A process of the container that emulates ids writes it (helpers/ids/apart.c): records of 64 bytes by inode and time of birth,
each with a check; one that is not whole counts as none. No container sees the file, and what it says is no more believed than
the attribute. The first records are those of the image's own links, which `prepare` writes.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rootless import atomic
from rootless.linux.filesystem import birth_time
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.linux.rlimit import many_descriptors
from rootless.runtime import owner_record
from rootless.runtime.ids import OWNERS

_RECORD = struct.Struct("=8sQqIIQ20xI")
_SHOWN = 5
_MAGIC = b"owner 1\0"
_MANY = owner_record.MANY_BYTES
_MOST = 2 * _MANY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WITHIN = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS

Owner = tuple[int, int]
Owners = Mapping[str, "Sequence[int]"]
"""{path: (uid, gid)}, as of a layer's owners.json."""
Key = tuple[int, int]  # inode and birth


class LinkOwners:
    """The owners of one container's links, pipes and sockets. `kept`: it has run with emulated owners; `complete`: and there
    is a record of each link that is not root's, the image's among them."""

    def __init__(
        self, records: dict[Key, Owner], *, kept: bool = False, complete: bool = False, container_dir: str = ""
    ) -> None:
        self._records = records
        self._inodes = {inode for inode, _ in records}
        self._container_dir = container_dir
        self._by_number: dict[int, Owner] | None = None
        self.kept = kept
        self.complete = complete

    def with_images(self, images: Iterable[tuple[str, Owners]]) -> LinkOwners:
        """These, and those of links in trees of the image, as of `prepare`."""
        theirs = _by_key(b"".join(_of_images(images)[0].values()))
        return LinkOwners(
            {**theirs, **self._records}, kept=self.kept, complete=self.complete, container_dir=self._container_dir
        )

    def owner(self, name: str, dir_fd: int, status: os.stat_result) -> Owner | None:
        """The uid and gid of the file `name` of `dir_fd`, whose status that is; None: there is no record, or none is believed."""
        if status.st_ino not in self._inodes:
            return None
        birth = birth_time(name, dir_fd=dir_fd)
        found = self._records.get((status.st_ino, birth or -1))
        if found is None and birth is None:
            found = self._numbered(status.st_ino)
        return None if found is None else owner_record.believed(*found, status.st_uid, status.st_gid)

    def _numbered(self, inode: int) -> Owner | None:
        """Where the mount knows no births (fuse-overlayfs): a number in the container's own files is theirs that have it now, any other
        the image's."""
        if self._by_number is None:
            there = (_there(self._container_dir) if self._container_dir else None) or set()
            own = {inode for inode, _ in there}
            self._by_number = {key[0]: owner for key, owner in self._records.items() if key in there or key[0] not in own}
        return self._by_number.get(inode)


def read(container_dir: str) -> LinkOwners:
    """Those of the container whose directory that is; none where it has kept none."""
    try:
        data = _read(f"{container_dir}/{OWNERS}")
    except FileNotFoundError:
        return LinkOwners({})
    return LinkOwners(_by_key(data), kept=True, complete=len(data) < _MANY, container_dir=container_dir)


def prepare(container_dir: str, images: Callable[[], Iterable[tuple[str, Owners]]]) -> bool:
    """Before a start with emulated owners; the container must not run. False where the image has more links of others than are kept:
    those beyond are root's in the container. OSError.

    At the first, the image's links get their records: `images` is trees and the owners of links in them, by path. Once there
    are many records, those of what is no more are left out.
    """
    path = f"{container_dir}/{OWNERS}"
    try:
        if os.path.getsize(path) < _MANY:
            return True
        data = _read(path)
    except FileNotFoundError:
        kept, whole = _of_images(images(), _MANY // _RECORD.size)
        atomic.write_bytes(path, b"".join(kept.values()), durable=False)
        return whole
    kept, whole = _of_images(images(), _MANY // _RECORD.size)
    own = {(inode, birth): (uid, gid, record) for inode, birth, uid, gid, record in _records(data)}
    there = _there(container_dir)
    kept |= {
        key: record for key, (uid, gid, record) in own.items() if (uid, gid) != (0, 0) and (there is None or key in there)
    }
    atomic.write_bytes(path, b"".join(kept.values()))
    return whole


def unattributed(tree: str, owners: Owners) -> dict[str, Sequence[int]]:
    """Those of `owners` that are of links and pipes in the directory `tree`, which cannot say themselves whose they are."""
    top = os.open(tree, _DIRECTORY)
    try:
        return {path: ids for path, ids in owners.items() if _key(top, path)}
    finally:
        os.close(top)


def walk(tree: str) -> Iterator[tuple[str, int, str, os.stat_result]]:
    """All that is in the directory `tree`, itself first ("", as "."), each directory before what is in it: its path, an open
    directory with its name in it, and its status. How deep it is costs descriptors, no stack."""
    with many_descriptors():
        levels: list[tuple[int, str, list[str]]] = []
        try:
            levels.append(_level(os.open(tree, _DIRECTORY), ""))
            yield "", levels[0][0], ".", os.fstat(levels[0][0])
            while levels:
                fd, above, names = levels[-1]
                if not names:
                    os.close(levels.pop()[0])
                    continue
                name = names.pop()
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                yield above + name, fd, name, status
                if stat.S_ISDIR(status.st_mode):
                    levels.append(_level(os.open(name, _DIRECTORY, dir_fd=fd), f"{above}{name}/"))
        finally:
            for fd, _, _ in levels:
                os.close(fd)


def _level(fd: int, path: str) -> tuple[int, str, list[str]]:
    try:
        return fd, path, os.listdir(fd)
    except BaseException:
        os.close(fd)
        raise


def _by_key(data: bytes) -> dict[Key, Owner]:
    found = {}
    for inode, birth, uid, gid, record in _records(data):
        found[inode, birth] = uid, gid
        shown = _RECORD.unpack(record)[_SHOWN]  # where the container is mounted still
        if shown:
            found[shown, birth] = uid, gid
    return found


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(_MOST)


def _records(data: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Inode, birth, uid and gid of each that is whole, and it itself."""
    for start in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        record = data[start : start + _RECORD.size]
        magic, inode, birth, uid, gid, _, check = _RECORD.unpack(record)
        if magic == _MAGIC and check == check_of(record):
            yield inode, birth, uid, gid, record


def encode(key: Key, owner: Sequence[int]) -> bytes:
    """One record."""
    record = _RECORD.pack(_MAGIC, *key, *owner, 0, 0)
    return record[:-4] + check_of(record).to_bytes(4, "little")


def check_of(record: bytes) -> int:
    """FNV-1a of all before the check."""
    number = 2166136261
    for byte in record[:-4]:
        number = (number ^ byte) * 16777619 & 0xFFFFFFFF
    return number


def _of_images(images: Iterable[tuple[str, Owners]], most: int | None = None) -> tuple[dict[Key, bytes], bool]:
    """The records, `most` of them, and whether there are no more."""
    found: dict[Key, bytes] = {}
    for tree, owners in images:
        top = os.open(tree, _DIRECTORY)
        try:
            for path, ids in owners.items():
                key = _key(top, path) if all(0 <= number < 1 << 32 for number in ids) else None
                if key is None:
                    continue
                if len(found) == most and key not in found:
                    return found, False  # the program has room for others, too
                found[key] = encode(key, ids)
        finally:
            os.close(top)
    return found, True


def _key(top: int, path: str) -> Key | None:
    """Inode and birth of the link or pipe at this path, in which no link is followed; None where none is there."""
    above, _, name = path.rpartition("/")
    try:
        fd = openat2(top, above or ".", os.O_PATH | os.O_DIRECTORY, resolve=_WITHIN)
    except OSError:
        return None
    try:
        status = os.stat(name or ".", dir_fd=fd, follow_symlinks=False)
        return (status.st_ino, birth_time(name, dir_fd=fd) or -1) if _cannot_say(status) else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _there(container_dir: str) -> set[Key] | None:
    """What the container has of its own; None where that is not known: it was given its root."""
    for name in ("rootfs", "upper"):
        tree = f"{container_dir}/{name}"
        if os.path.isdir(tree):
            return {
                (status.st_ino, birth_time(name, dir_fd=fd) or -1)
                for _, fd, name, status in walk(tree)
                if _cannot_say(status)
            }
    return None


def _cannot_say(status: os.stat_result) -> bool:
    return not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode)
