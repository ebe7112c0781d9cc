from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rootless.linux import mount as m
from rootless.linux.namespace import CLONE_NEWNS
from tests.harness.forked import become_root_of_own_namespace, forked


def private_mounts() -> None:
    become_root_of_own_namespace(CLONE_NEWNS)
    m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)


def test_tmpfs_is_mounted_with_options_and_detached(tmp_path: Path) -> None:
    def child() -> tuple[int, bool]:
        private_mounts()
        m.mount("tmpfs", str(tmp_path), "tmpfs", m.MS_NOSUID | m.MS_NODEV, "size=64k")
        size = os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
        (tmp_path / "file").touch()
        m.umount2(str(tmp_path), m.MNT_DETACH)
        return size, (tmp_path / "file").exists()

    assert forked(child) == (65536, False)


def test_errors_name_target_and_source(tmp_path: Path) -> None:
    def child() -> None:
        private_mounts()
        m.mount("/nowhere", str(tmp_path), None, m.MS_BIND)

    with pytest.raises(FileNotFoundError) as caught:
        forked(child)
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path), "/nowhere")


def test_umount_of_what_is_no_mount_point_names_it(tmp_path: Path) -> None:
    def child() -> None:
        private_mounts()
        m.umount2(str(tmp_path))

    with pytest.raises(OSError) as caught:
        forked(child)
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(tmp_path))


def test_detached_tree_becomes_read_only_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "source/inner").mkdir(parents=True)
    (tmp_path / "target").mkdir()

    def child() -> list[int | None]:
        private_mounts()
        m.mount("tmpfs", str(tmp_path / "source/inner"), "tmpfs")
        tree = m.open_tree(m.AT_FDCWD, str(tmp_path / "source"), m.OPEN_TREE_CLONE | m.AT_RECURSIVE)
        m.mount_setattr(tree, "", m.AT_EMPTY_PATH | m.AT_RECURSIVE, attr_set=m.MOUNT_ATTR_RDONLY)
        m.move_mount(tree, "", m.AT_FDCWD, str(tmp_path / "target"), m.MOVE_MOUNT_F_EMPTY_PATH)
        codes: list[int | None] = []
        for name in ("target/x", "target/inner/x", "source/inner/x"):
            try:
                (tmp_path / name).touch()
                codes.append(None)
            except OSError as error:
                codes.append(error.errno)
        return codes

    assert forked(child) == [errno.EROFS, errno.EROFS, None]


def test_filesystem_context_explains_what_it_refused() -> None:
    def child() -> list[str]:
        private_mounts()
        context = m.fsopen("tmpfs")
        with pytest.raises(OSError):
            m.fsconfig_set_string(context, "sizzle", "1m")
        return m.fscontext_messages(context)

    assert any("sizzle" in line for line in forked(child))


def test_filesystem_by_context_is_mounted_where_told(tmp_path: Path) -> None:
    def child() -> bool:
        private_mounts()
        context = m.fsopen("tmpfs")
        m.fsconfig_set_string(context, "size", "64k")
        m.fsconfig_create(context)
        made = m.fsmount(context, 0, m.MOUNT_ATTR_NODEV)
        m.move_mount(made, "", m.AT_FDCWD, str(tmp_path), m.MOVE_MOUNT_F_EMPTY_PATH)
        return bool(os.statvfs(tmp_path).f_flag & os.ST_NODEV)

    assert forked(child)


def test_unknown_filesystem_is_enodev() -> None:
    def child() -> int | None:
        private_mounts()
        try:
            return m.fsopen("nosuchfs")
        except OSError as error:
            return error.errno

    assert forked(child) == errno.ENODEV


def test_pivot_root_onto_itself_stacks_and_detaches(tmp_path: Path) -> None:
    def child() -> list[str]:
        private_mounts()
        m.mount("tmpfs", str(tmp_path), "tmpfs")
        (tmp_path / "inside").touch()
        os.chdir(tmp_path)
        m.pivot_root(".", ".")
        m.umount2(".", m.MNT_DETACH)
        return os.listdir("/")

    assert forked(child) == ["inside"]
