"""The owners of links, pipes and sockets, as helpers/ids/apart.c writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.linux.filesystem import birth_time
from rootless.runtime.ids import OWNERS
from rootless.storage import owner_file
from rootless.storage.owner_file import _MAGIC, _MANY, _RECORD, check_of


def record(inode: int, birth: int, uid: int, gid: int) -> bytes:
    whole = _RECORD.pack(_MAGIC, inode, birth, uid, gid, 0)
    return whole[:-4] + check_of(whole).to_bytes(4, "little")


def of_file(path: Path, uid: int, gid: int) -> bytes:
    return record(os.lstat(path).st_ino, birth_time(path.name, dir_fd=os.open(path.parent, os.O_PATH)) or -1, uid, gid)


def owner(directory: Path, path: Path, *, root: int = 0) -> tuple[int, int] | None:
    """As of a file that is `root`'s."""
    status = list(os.lstat(path))
    status[4] = status[5] = root
    return owner_file.read(str(directory)).owner(path.name, os.open(path.parent, os.O_PATH), os.stat_result(status))


@pytest.fixture
def link(tmp_path: Path) -> Path:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "link").symlink_to("nowhere")
    return tmp_path / "upper" / "link"


def test_only_whole_records_of_this_very_file_count(tmp_path: Path, link: Path) -> None:
    assert owner(tmp_path, link) is None
    good = of_file(link, 7, 8)
    (tmp_path / OWNERS).write_bytes(good)
    assert owner(tmp_path, link) == (7, 8)
    assert owner(tmp_path, link, root=1000) is None
    for torn in (good[:-1], good[:63] + bytes([good[63] ^ 1]), bytes(64) + good[:40], good[:24] + b"\xff" + good[25:]):
        (tmp_path / OWNERS).write_bytes(torn)
        assert owner(tmp_path, link) is None
    (tmp_path / OWNERS).write_bytes(b"x" * 64 + record(os.lstat(link).st_ino, 5, 7, 8) + good + of_file(link, 9, 10) + good[:20])
    assert owner(tmp_path, link) == (9, 10)
    (tmp_path / OWNERS).write_bytes(of_file(link, 2**32 - 1, 0))
    assert owner(tmp_path, link) is None


def test_what_is_no_more_is_forgotten_once_there_is_much(tmp_path: Path, link: Path) -> None:
    good = of_file(link, 7, 8)
    (tmp_path / OWNERS).write_bytes(record(5, 5, 7, 8) + good)
    owner_file.forget_removed(str(tmp_path), str(tmp_path / "upper"))
    assert (tmp_path / OWNERS).stat().st_size == 128
    (tmp_path / OWNERS).write_bytes(record(5, 5, 7, 8) * (_MANY // 64) + good)
    owner_file.forget_removed(str(tmp_path), str(tmp_path / "upper"))
    assert (tmp_path / OWNERS).read_bytes() == good
