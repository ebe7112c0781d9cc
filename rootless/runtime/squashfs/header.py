"""Where in a file a squashfs begins: at its start, or in the partition of a SIF file that holds the system.

Nothing in the file is believed: each number is checked against the file's size before it is used. What the
file system itself has in it is for squashfuse_ll to read, in its jail (jail.py).
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import struct
from rootless.record import Record

# squashfs 4.0: magic, inodes, time, block size, fragments, compression, block log, flags, ids, major, minor, root inode,
# bytes used, and where six tables begin: ids, attributes, inodes, directories, fragments, exports.
_SUPERBLOCK = struct.Struct("<5I6H8Q")
_MAGIC = 0x73717368
_NO_TABLE = (1 << 64) - 1
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 12, 1 << 20
_POINTER, _RAW = 8, 0x8000
_COMPRESSIONS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}

# SIF: a line for the shell, "SIF_MAGIC", version, architecture, uuid, and eight numbers of 64 bits.
_SIF = struct.Struct("<32s10s3s3s16s8q")
_SIF_MAGIC = b"SIF_MAGIC\0"
# Of each object: type, used, id, group, link, offset, size, size with padding, two times, owner, name, and what its type adds.
_OBJECT = struct.Struct("<i?3I7q128s384s")
_PARTITION = struct.Struct("<2i")
_IS_PARTITION = 0x4004
_SQUASHFS, _ENCRYPTED = 1, 5
_PRIMARY_SYSTEM = 2
_MOST_OBJECTS = 4096


class ImageFile(Record):
    """A file with a squashfs in it; `exact`: links in the path were followed, one that is there now was put there since.
    `offset` is where the squashfs begins, None: where the file's own header says. `identity`: of the one that is meant, see below."""

    path: str
    exact: bool = False
    offset: int | None = None
    identity: tuple[int, ...] = ()


def identity_of(status: os.stat_result) -> list[int]:
    """What tells that a file is still the same, unchanged. Without its device, whose number another mount of a share changes."""
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


class Squashfs(Record):
    """A squashfs in a file: its first byte's place, its length in bytes, how many owners its files have, and whether root is known
    to be none of them."""

    offset: int
    size: int
    ids: int
    compression: str
    rootless: bool = False


def find(fd: int, name: str, offset: int | None = None) -> Squashfs:
    """The squashfs of the regular file `fd`, which messages call `name`; at `offset` where that is given.

    InvalidInput where there is none, or one whose numbers cannot be; NotSupported for an encrypted one.
    """
    size = os.fstat(fd).st_size
    if offset is not None:
        return _squashfs(fd, name, offset, size)
    if is_sif(fd):
        start, length = _system_partition(fd, name, size)
        return _squashfs(fd, name, start, start + length)
    return _squashfs(fd, name, 0, size)


def is_sif(fd: int) -> bool:
    """Whether the file is a SIF file."""
    return os.pread(fd, 42, 0)[32:] == _SIF_MAGIC


def _squashfs(fd: int, name: str, start: int, end: int) -> Squashfs:
    """The one that begins at `start` and has to end by `end`, which is in the file."""
    head = os.pread(fd, _SUPERBLOCK.size, start) if 0 <= start < end else b""
    if len(head) < _SUPERBLOCK.size or int.from_bytes(head[:4], "little") != _MAGIC:
        raise InvalidInput(
            f"{name} is no image file: neither a squashfs nor a SIF file with one in it",
            hint="an image file is what mksquashfs, `enroot import`, `apptainer build` or `rootless image pack` has made; "
            "an archive of an image is loaded: rootless load -i FILE",
        )
    (_, _, _, block, _, compression, log, _, ids, major, minor, _, used, *tables) = _SUPERBLOCK.unpack(head)
    if (major, minor) != (4, 0):
        raise NotSupported(f"{name}: squashfs {major}.{minor}", hint="only 4.0 can be read, which is what is made since 2009")
    whole = (
        _SMALLEST_BLOCK <= block <= _LARGEST_BLOCK and block == 1 << log and log < 32
        and compression in _COMPRESSIONS and ids > 0
        and len(head) <= used <= end - start
        and all(len(head) <= table <= used for table in tables if table != _NO_TABLE)
    )  # fmt: skip
    if not whole:
        raise InvalidInput(
            f"{name} is damaged: its squashfs says of itself what cannot be", hint="fetch or make it again: it may be cut off"
        )
    return Squashfs(start, used, ids, _COMPRESSIONS[compression], _lacks_root(fd, start, used, tables[0], ids))


def _lacks_root(fd: int, start: int, used: int, table: int, ids: int) -> bool:
    """Whether the table of owners says that none is root. False where it is compressed: one of a few numbers never is."""
    place = int.from_bytes(os.pread(fd, _POINTER, start + table), "little")
    head = int.from_bytes(os.pread(fd, 2, start + place), "little") if place + 2 <= used else 0
    size = head & ~_RAW
    if not head & _RAW or size != 4 * ids or place + 2 + size > used:
        return False
    numbers = os.pread(fd, size, start + place + 2)
    return all(numbers[at : at + 4] != bytes(4) for at in range(0, size, 4)) if len(numbers) == size else False


def _system_partition(fd: int, name: str, size: int) -> tuple[int, int]:
    """Offset and size of the squashfs partition of a SIF file of `size` bytes: the primary system's, else the first."""
    damaged = InvalidInput(f"{name} is a damaged SIF file", hint="fetch or make it again: it may be cut off")
    head = os.pread(fd, _SIF.size, 0)
    if len(head) < _SIF.size:
        raise damaged
    _, _, _, _, _, _, _, _, total, table, _, _, _ = _SIF.unpack(head)
    if not (0 <= total <= _MOST_OBJECTS and _SIF.size <= table <= size - total * _OBJECT.size):
        raise damaged
    objects = os.pread(fd, total * _OBJECT.size, table)
    if len(objects) < total * _OBJECT.size:
        raise damaged
    found: list[tuple[int, int]] = []
    encrypted = False
    for fields in _OBJECT.iter_unpack(objects):
        kind, used, _, _, _, start, length, *_, more = fields
        if not used or kind != _IS_PARTITION:
            continue
        filesystem, role = _PARTITION.unpack_from(more)
        encrypted |= filesystem == _ENCRYPTED
        if filesystem != _SQUASHFS:
            continue
        if not (_SIF.size <= start < size and 0 < length <= size - start):
            raise damaged
        if role == _PRIMARY_SYSTEM:
            return start, length
        found.append((start, length))
    if found:
        return found[0]
    if encrypted:
        raise NotSupported(f"{name} is encrypted", hint="have Apptainer decrypt it: apptainer build plain.sif ENCRYPTED.sif")
    raise InvalidInput(f"{name} is a SIF file without a squashfs in it", hint="it may hold signatures or an overlay only")
