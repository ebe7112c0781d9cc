"""The owners of links, pipes and sockets, as helpers/ids/apart.c writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.linux.filesystem import birth_time
from rootless.runtime.ids import OWNERS
from rootless.storage import owner_file
from rootless.storage.layers import layer_owners
from rootless.storage.owner_file import _MANY, _MOST, encode
from tests.harness.trees import remove_tree


def record(inode: int, birth: int, uid: int, gid: int) -> bytes:
    return encode((inode, birth), (uid, gid))


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


@pytest.mark.parametrize("tree", ["upper", "rootfs", ""])
def test_what_is_no_more_is_forgotten_once_there_is_much(tmp_path: Path, tree: str) -> None:
    """Also deep below, deeper than an interpreter's stack; of a root that the container was given nobody knows what is no more."""
    fd = os.open(tmp_path, os.O_RDONLY)
    for name in [tree or "given", *["d"] * 1200]:
        os.mkdir(name, dir_fd=fd)
        fd, above = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(above)
    os.symlink("nowhere", "link", dir_fd=fd)
    good = record(os.stat("link", dir_fd=fd, follow_symlinks=False).st_ino, birth_time("link", dir_fd=fd) or -1, 7, 8)
    gone = record(5, 5, 7, 8)
    (tmp_path / OWNERS).write_bytes(gone + good)
    owner_file.prepare(str(tmp_path), lambda: pytest.fail("it has them already"))
    assert (tmp_path / OWNERS).stat().st_size == 128
    (tmp_path / OWNERS).write_bytes(gone * (_MANY // 64) + good)
    owner_file.prepare(str(tmp_path), list)
    assert (tmp_path / OWNERS).read_bytes() == (good if tree else gone + good)
    os.close(fd)
    remove_tree(tmp_path / (tree or "given"))


def test_the_image_s_links_have_theirs_from_the_first_start_on(tmp_path: Path) -> None:
    """No name leads out of the tree or through a link, nor is any number believed that is no id; others keep room."""
    tree = tmp_path / "fs"
    (tree / "d").mkdir(parents=True)
    (tree / "d/link").symlink_to("x")
    os.mkfifo(tree / "pipe")
    (tree / "file").touch()
    (tree / "out").symlink_to(tmp_path)
    (tmp_path / "other").symlink_to("x")
    given = {"d/link": [7, 8], "pipe": [0, 9], "file": [7, 8], "out/other": [7, 8], "../other": [7, 8], "missing/x": [7, 8]}
    layer_owners.write(str(tmp_path), given)
    assert layer_owners.read(str(tmp_path)) == given
    assert layer_owners.read_links(str(tmp_path)) == {"d/link": [7, 8], "pipe": [0, 9]}
    owner_file.prepare(str(tmp_path), lambda: [(str(tree), {**given, "out": [1 << 32, 0]})])
    assert (tmp_path / OWNERS).read_bytes() == of_file(tree / "d/link", 7, 8) + of_file(tree / "pipe", 0, 9)
    assert owner(tmp_path, tree / "pipe") == (0, 9)
    assert owner_file.read(str(tmp_path)).complete
    # Not lost with those of what is no more.
    (tmp_path / "upper").mkdir()
    (tmp_path / OWNERS).write_bytes(record(5, 5, 7, 8) * (_MANY // 64))
    owner_file.prepare(str(tmp_path), lambda: [(str(tree), {"pipe": [0, 9]})])
    assert (tmp_path / OWNERS).read_bytes() == of_file(tree / "pipe", 0, 9)


def test_more_links_than_are_kept_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each start; what is no link takes no room."""
    tree = tmp_path / "fs"
    tree.mkdir()
    for name in "abc":
        (tree / name).symlink_to("x")
    (tree / "file").touch()
    monkeypatch.setattr(owner_file, "_MANY", 2 * 64)
    two = {"a": [7, 8], "b": [7, 8], "file": [7, 8]}
    assert owner_file.prepare(str(tmp_path), lambda: [(str(tree), two)])
    assert owner(tmp_path, tree / "b") == (7, 8)
    assert not owner_file.prepare(str(tmp_path), lambda: [(str(tree), {**two, "c": [7, 8]})])
    assert owner(tmp_path, tree / "c") is None
    assert not owner_file.read(str(tmp_path)).complete  # a commit takes the image's word for them


def test_no_file_is_too_large(tmp_path: Path, link: Path) -> None:
    with open(tmp_path / OWNERS, "wb") as file:
        file.truncate(1 << 40)
    assert owner(tmp_path, link) is None
    with open(tmp_path / OWNERS, "r+b") as file:
        file.seek(_MOST)
        file.write(of_file(link, 7, 8))
    assert owner(tmp_path, link) is None
