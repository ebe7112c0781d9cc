"""Deleting trees that strangers made."""

from __future__ import annotations

import os
from pathlib import Path

from rootless.storage.remove_tree import remove_tree
from tests.storage.joined import Joined


def test_files_links_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "l").symlink_to(tmp_path)
    for name in ("f", "l", "missing"):
        assert remove_tree(str(tmp_path / name)) == []
    assert os.listdir(tmp_path) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/l").symlink_to(tmp_path / "outside")
    assert remove_tree(str(tmp_path / "tree")) == []
    assert (tmp_path / "outside/kept").exists()


def test_directories_without_permissions(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    (top / "a/b/c").mkdir(parents=True)
    (top / "a/b/f").write_text("x")
    for path in ("a/b/c", "a/b", "a", ""):
        os.chmod(top / path, 0)
    assert remove_tree(str(top)) == []
    assert not top.exists()


def test_ten_thousand_levels(tmp_path: Path) -> None:
    top = str(tmp_path / "tree")
    os.mkdir(top)
    fd = os.open(top, os.O_RDONLY)
    for _ in range(10_000):
        os.mkdir("d", dir_fd=fd)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    assert remove_tree(top) == []
    assert not os.path.exists(top)


def test_what_cannot_be_deleted_is_told(tmp_path: Path, joined: Joined) -> None:
    from rootless.linux import mount, namespace

    (tmp_path / "tree/a/busy").mkdir(parents=True)
    (tmp_path / "tree/b").mkdir()
    os.chmod(tmp_path, 0o755)
    top = str(tmp_path / "tree")

    def run() -> None:
        namespace.unshare(namespace.CLONE_NEWNS)
        mount.mount("tmpfs", top + "/a/busy", "tmpfs", 0, None)
        failures = remove_tree(top)
        assert len(failures) == 1
        assert "/a/busy: Device or resource busy" in failures[0]
        assert os.listdir(top) == ["a"]

    joined(run)
