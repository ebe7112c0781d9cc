"""Mounts in a container's root, made on descriptors: nothing an image contains can redirect one. Hot path."""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import NotSupported
from rootless.linux import mount as m
from rootless.runtime.rootfs_path import mount_target, open_in_root

# move_mount(2) from one descriptor onto another.
ATTACH = m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_T_EMPTY_PATH


def attach(mount_fd: int, root_fd: int, guest_path: str, *, directory: bool, links: bool = True) -> None:
    """Mount the detached `mount_fd` at `guest_path`, made where it is missing. NotADirectoryError where the
    one is a directory and the other is none."""
    target = mount_target(root_fd, guest_path, directory=directory, links=links)
    try:
        m.move_mount(mount_fd, "", target, "", ATTACH)
    except OSError as error:
        kinds = {stat.S_ISDIR(os.fstat(fd).st_mode) for fd in (mount_fd, target)}
        if error.errno == errno.EINVAL and len(kinds) > 1:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), guest_path) from None
        raise
    finally:
        os.close(target)


def follow_no_links(tree: int, *, recursive: bool = False) -> None:
    """Let no path on the mount `tree`, for whoever opens one by its name, lead through a link. NotSupported before Linux 5.14."""
    try:
        m.mount_setattr(tree, "", m.AT_EMPTY_PATH | (m.AT_RECURSIVE if recursive else 0), m.MOUNT_ATTR_NOSYMFOLLOW)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        raise NotSupported("mounts on which no link is followed need Linux 5.14", hint="update the kernel") from None


def mount_filesystem(
    root_fd: int,
    guest_path: str,
    fstype: str,
    *,
    flags: int = 0,
    data: str = "",
    source: str | None = None,
    links: bool = True,
) -> None:
    """Mount a new file system at `guest_path`, made where it is missing. A tmpfs whose mode is not asked for
    has that of the directory it covers: one that was private does not become 1777, the kernel's default."""
    mode = ""
    if fstype == "tmpfs" and not any(word.startswith("mode=") for word in data.split(",")):
        mode = _mode_word(root_fd, guest_path, links=links)
    target = mount_target(root_fd, guest_path, directory=True, links=links)
    try:
        m.mount(source or fstype, f"/proc/self/fd/{target}", fstype, flags, ",".join(filter(None, (mode, data))) or None)
    finally:
        os.close(target)


def _mode_word(root_fd: int, guest_path: str, *, links: bool) -> str:
    try:
        fd = open_in_root(root_fd, guest_path, links=links)
    except (FileNotFoundError, NotADirectoryError):
        return ""  # it is yet to be made
    try:
        return f"mode={stat.S_IMODE(os.fstat(fd).st_mode):o}"
    finally:
        os.close(fd)


def detached(root_fd: int, guest_path: str) -> int:
    """Take away what was mounted last at `guest_path`: the detached mount, the caller's."""
    target = mount_target(root_fd, guest_path, directory=True)
    try:
        fd = m.open_tree(target, "", m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH)
        try:
            m.umount2(f"/proc/self/fd/{target}", m.MNT_DETACH)
        except BaseException:
            os.close(fd)
            raise
        return fd
    finally:
        os.close(target)


def set_attributes(
    fd: int, *, attr: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False
) -> None:
    """mount_setattr(2) on a mount's descriptor, or before Linux 5.12 what mount(2) can do of it."""
    flags = m.AT_EMPTY_PATH | (m.AT_RECURSIVE if recursive else 0)
    try:
        m.mount_setattr(fd, "", flags, attr, clear, propagation)
        return
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    if recursive and attr:
        raise NotSupported(
            "recursive read-only mounts need Linux 5.12", hint="ask for a plain (not recursive) one"
        )
    path = f"/proc/self/fd/{fd}"
    if propagation:
        m.mount(None, path, None, propagation | (m.MS_REC if recursive else 0))
    if attr:
        # MS_REMOUNT replaces all flags, and those that are locked must be named again. The ST_
        # bits of statvfs(3) for ro, nosuid, nodev and noexec are the MS_ bits.
        present = os.fstatvfs(fd).f_flag & 0xF
        m.mount(None, path, None, m.MS_BIND | m.MS_REMOUNT | present | attr & 0xF)


_PROPAGATIONS = {
    "slave": m.MS_SLAVE,
    "private": m.MS_PRIVATE,
    "shared": m.MS_SHARED,
    "unbindable": m.MS_UNBINDABLE,
}


def set_root_propagation(asked: str) -> None:
    """linux.rootfsPropagation of the root we are in; nothing for ""."""
    flag = _PROPAGATIONS.get(asked) or _PROPAGATIONS.get(asked.removeprefix("r"))
    if flag:
        m.mount(None, "/", None, flag | (0 if asked in _PROPAGATIONS else m.MS_REC))
