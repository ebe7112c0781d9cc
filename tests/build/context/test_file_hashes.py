"""Digests of files that are kept: right after every change that stat(2) can tell, and not kept where it cannot."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rootless.build.context.digest_table import DigestTable
from rootless.build.context.file_hashes import FileHashes

LONG_AGO_NS = 10**18


@pytest.fixture
def tree() -> Iterator[Path]:
    """On a disk, which has extended attributes."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@contextmanager
def hashes(tree: Path, table: str = "table") -> Iterator[FileHashes]:
    root = os.open(tree, os.O_RDONLY)
    found = FileHashes(str(tree / table), root_fd=root)
    yield found
    found.close()
    os.close(root)


def digest(found: FileHashes, path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return found.of(fd, os.fstat(fd))
    finally:
        os.close(fd)


def settle(path: Path) -> None:
    """Wait until the file's times are no longer now."""
    while time.time_ns() - path.stat().st_ctime_ns < 50_000_000:
        time.sleep(0.01)


def test_a_file_is_not_read_again(tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"one")
    settle(file)
    with hashes(tree) as found:
        assert found.known(file.stat()) is None
        assert digest(found, file) == hashlib.sha256(b"one").digest()
    with hashes(tree) as found:
        assert found.known(file.stat()) == hashlib.sha256(b"one").digest()


def test_a_change_of_the_same_size_and_mtime_is_seen(tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"one")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    settle(file)
    with hashes(tree) as found:
        digest(found, file)
        assert found.known(file.stat()) is not None
    file.write_bytes(b"two")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    with hashes(tree) as found:
        assert digest(found, file) == hashlib.sha256(b"two").digest()


def test_what_was_changed_just_now_is_not_kept(tree: Path) -> None:
    """A second change within the same tick of the clock would have the same times."""
    file = tree / "file"
    file.write_bytes(b"one")
    with hashes(tree) as found:
        assert digest(found, file) == hashlib.sha256(b"one").digest()
        assert found.known(file.stat()) is None


def test_a_file_system_nobody_knows_has_a_coarse_clock(tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"one")
    settle(file)
    proc = os.open("/proc", os.O_RDONLY)
    found = FileHashes(str(tree / "table"), root_fd=proc)
    os.close(proc)
    digest(found, file)
    assert found.known(file.stat()) is None
    found.close()


def test_extended_attributes_count(tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"one")
    with hashes(tree) as found:
        plain = digest(found, file)
        os.setxattr(file, "user.a", b"1")
        first = digest(found, file)
        os.setxattr(file, "user.a", b"2")
        assert len({plain, first, digest(found, file)}) == 3
        os.removexattr(file, "user.a")
        os.setxattr(file, "user.overlay.origin", b"2")
        assert digest(found, file) == plain


def test_a_damaged_table_is_begun_anew(tree: Path) -> None:
    file = tree / "file"
    file.write_bytes(b"one")
    settle(file)
    full = b"rldigst2" + (16).to_bytes(8, "little") + bytes(8) + b"x" * 48 * 16
    for damage in (b"", b"rldigst2", b"x" * 5000, b"rldigst2" + b"\xff" * 16, full):
        (tree / "table").write_bytes(damage)
        with hashes(tree) as found:
            digest(found, file)
        with hashes(tree) as found:
            assert found.known(file.stat()) is not None


def test_a_table_grows_and_forgets(tree: Path) -> None:
    path = str(tree / "sub/table")

    def key(number: int) -> bytes:
        return hashlib.sha256(b"key %d" % number).digest()[:16]

    def value(number: int) -> bytes:
        return hashlib.sha256(b"value %d" % number).digest()

    table = DigestTable(path)
    assert table.get(key(0)) is None
    for number in range(5000):
        table.put(key(number), value(number))
    table.put(key(3), value(4))
    table.close()
    full = os.stat(path).st_size
    table = DigestTable(path)
    assert [table.get(key(number)) for number in range(5, 5000)] == [
        value(number) for number in range(5, 5000)
    ]
    assert table.get(key(3)) == value(4)
    assert table.get(key(5001)) is None
    table.close()
    # Another one needs few of them: when it is written, the others go.
    table = DigestTable(path)
    assert table.get(key(7)) == value(7)
    table.put(key(6000), value(1))
    table.close()
    table = DigestTable(path)
    assert os.stat(path).st_size < full
    assert (table.get(key(7)), table.get(key(6000)), table.get(key(8))) == (value(7), value(1), None)
    table.close()
    assert os.listdir(tree / "sub") == ["table"]


def test_two_at_once_leave_one_whole_table(tree: Path) -> None:
    path = str(tree / "table")
    first, second = DigestTable(path), DigestTable(path)
    first.put(b"1" * 16, b"a" * 32)
    second.put(b"2" * 16, b"b" * 32)
    first.close()
    second.close()
    table = DigestTable(path)
    assert table.get(b"2" * 16) == b"b" * 32
    table.close()
    assert os.listdir(tree) == ["table"]


def test_nothing_is_left_of_what_was_abandoned(tree: Path) -> None:
    table = DigestTable(str(tree / "table"))
    table.put(b"1" * 16, b"a" * 32)
    table.abandon()
    assert os.listdir(tree) == []
