"""What runtime/squashfs/header.py takes for an image file, and what it refuses: the bytes are anybody's."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.runtime.squashfs import header

NONE = (1 << 64) - 1
SQUASHFS, ENCRYPTED = 1, 5
SYSTEM, PRIMARY = 1, 2
BASE = 4096


def superblock(*, block: int = 131072, log: int = 17, compression: int = 6, ids: int = 1, version: tuple[int, int] = (4, 0),
               used: int = 500, tables: tuple[int, ...] = (400, NONE, 200, 300, 350, NONE)) -> bytes:  # fmt: skip
    words = (0x73717368, 3, 0, block, 0, compression, log, 0, ids, *version, 0, used, *tables)
    return struct.pack("<5I6H8Q", *words).ljust(512, b"\0")


def sif(*objects: tuple[int, int, int, int], total: int | None = None, table: int = 128) -> bytes:
    """A SIF file with these (file system, role, offset, size); what is at BASE is a squashfs."""
    numbers = (0, 0, 0, len(objects) if total is None else total, table, 585 * len(objects), BASE, 512)
    head = struct.pack("<32s10s3s3s16s8q", b"#!/usr/bin/env run-singularity\n", b"SIF_MAGIC\0", b"01", b"02", bytes(16), *numbers)
    for filesystem, role, start, size in objects:
        more = struct.pack("<2i", filesystem, role)
        head += struct.pack("<i?3I7q128s384s", 0x4004, True, 1, 1, 0, start, size, size, 0, 0, 0, 0, b"system", more)
    return head.ljust(BASE, b"\0") + superblock()


def find(path: Path, data: bytes, offset: int | None = None) -> header.Squashfs:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return header.find(fd, "it", offset)
    finally:
        os.close(fd)


def test_squashfs_and_sif(tmp_path: Path) -> None:
    assert find(tmp_path / "f", superblock(ids=3)) == header.Squashfs(0, 500, 3, "zstd")
    assert find(tmp_path / "f", bytes(64) + superblock(), 64).offset == 64
    data = sif((ENCRYPTED, SYSTEM, 0, 1), (SQUASHFS, SYSTEM, 128, 64), (SQUASHFS, PRIMARY, BASE, 512))
    assert find(tmp_path / "f", data) == header.Squashfs(BASE, 500, 1, "zstd")


@pytest.mark.parametrize(("table", "ids", "lacks"), [
    (struct.pack("<HI", 0x8004, 1000), 1, True), (struct.pack("<HI", 0x8004, 0), 1, False), (struct.pack("<HII", 0x8008, 5, 0), 2, False),
    (struct.pack("<HII", 0x8008, 5, 1 << 24), 2, True), (struct.pack("<HI", 4, 1000), 1, False),
    (struct.pack("<HI", 0x8004, 1000), 2, False), (struct.pack("<HI", 0xFFFF, 1000), 1, False),
])  # fmt: skip
def test_whether_root_owns_anything(tmp_path: Path, table: bytes, ids: int, lacks: bool) -> None:
    data = superblock(ids=ids)[:400] + struct.pack("<Q", 408) + table
    assert find(tmp_path / "f", data.ljust(512, b"\0")).rootless is lacks
    beyond = superblock(ids=ids)[:400] + struct.pack("<Q", 1 << 63) + table
    assert find(tmp_path / "f", beyond.ljust(512, b"\0")).rootless is False


@pytest.mark.parametrize("data", [
    b"", b"hsqs", b"hsqs" * 10, bytes(4096), b"\x7fELF".ljust(4096, b"\0"),
    superblock(block=131073), superblock(log=16), superblock(log=63), superblock(block=1 << 21, log=21), superblock(ids=0),
    superblock(compression=7), superblock(used=513), superblock(used=95), superblock(tables=(501, NONE, 200, 300, 350, NONE)),
    superblock(tables=(NONE - 1, NONE, 200, 300, 350, NONE)), superblock()[:499],
    sif(), sif((SQUASHFS, PRIMARY, -1, 512)), sif((SQUASHFS, PRIMARY, BASE, 0)), sif((SQUASHFS, PRIMARY, BASE, -5)),
    sif((SQUASHFS, PRIMARY, BASE, 513)), sif((SQUASHFS, PRIMARY, 1 << 62, 1 << 62)), sif((SQUASHFS, PRIMARY, 128, 512)),
    sif((SQUASHFS, PRIMARY, BASE, 400)),  # its squashfs says that it is longer
    sif((SQUASHFS, PRIMARY, BASE, 512), total=1 << 40), sif((SQUASHFS, PRIMARY, BASE, 512), total=-1),
    sif((SQUASHFS, PRIMARY, BASE, 512), table=BASE), sif((SQUASHFS, PRIMARY, BASE, 512), table=-1),
    sif((SQUASHFS, PRIMARY, BASE, 512), table=1 << 62), sif((SQUASHFS, PRIMARY, BASE, 512))[:100],
])  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        find(tmp_path / "f", data)


def test_what_is_known_and_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="encrypted"):
        find(tmp_path / "f", sif((ENCRYPTED, PRIMARY, BASE, 512)))
    with pytest.raises(NotSupported, match=r"squashfs 3\.1"):
        find(tmp_path / "f", superblock(version=(3, 1)))


@given(place=st.integers(0, 800), value=st.binary(min_size=1, max_size=9))
def test_any_bytes_are_an_image_within_the_file_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes
) -> None:
    data = bytearray(sif((SQUASHFS, SYSTEM, BASE, 512)))
    data[place : place + len(value)] = value
    try:
        found = find(tmp_path_factory.getbasetemp() / "fuzzed", bytes(data))
    except RootlessError:
        return
    assert 0 <= found.offset <= found.offset + found.size <= len(data)
