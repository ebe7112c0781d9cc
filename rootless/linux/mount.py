"""Mounts, by the old interface (mount(2)) and the new one (fsopen(2), open_tree(2), ...).

Flags keep the kernel's names. Descriptors returned are close-on-exec and the caller's to close. Hot path.
"""

from __future__ import annotations

import os

from rootless.linux import ctypes
from rootless.linux.libc import AT_EMPTY_PATH as AT_EMPTY_PATH
from rootless.linux.libc import AT_FDCWD as AT_FDCWD
from rootless.linux.libc import AT_RECURSIVE as AT_RECURSIVE
from rootless.linux.libc import libc, number, raise_errno, syscall

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_MANDLOCK = 64
MS_DIRSYNC = 128
MS_NOSYMFOLLOW = 256
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_SILENT = 32768
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_I_VERSION = 1 << 23
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_FORCE = 1
MNT_DETACH = 2
MNT_EXPIRE = 4
UMOUNT_NOFOLLOW = 8

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC

MOVE_MOUNT_F_SYMLINKS = 0x01
MOVE_MOUNT_F_AUTOMOUNTS = 0x02
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_SYMLINKS = 0x10
MOVE_MOUNT_T_AUTOMOUNTS = 0x20
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOVE_MOUNT_SET_GROUP = 0x100
MOVE_MOUNT_BENEATH = 0x200

FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSPICK_CLOEXEC = 1
FSPICK_SYMLINK_NOFOLLOW = 2
FSPICK_NO_AUTOMOUNT = 4
FSPICK_EMPTY_PATH = 8

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x00
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_SET_FD = 5
_FSCONFIG_CMD_CREATE = 6
_FSCONFIG_CMD_RECONFIGURE = 7

_mount = libc.mount
_mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_umount2 = libc.umount2
_umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def mount(
    source: str | None,
    target: str,
    fstype: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """mount(2). The error's filename is the target, which is what the caller chose; the source
    (also of binds) is its filename2. `data` is at most one page, else EINVAL."""
    if _mount(_bytes(source), os.fsencode(target), _bytes(fstype), flags, _bytes(data)) != 0:
        raise_errno(target, source)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    if _umount2(os.fsencode(target), flags) != 0:
        raise_errno(target)


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2). pivot_root(".", ".") stacks the old root on the new one, to be detached."""
    syscall(number("pivot_root"), os.fsencode(new), os.fsencode(old), path=new)


def open_tree(dirfd: int, path: str, flags: int = 0) -> int:
    """open_tree(2): a descriptor of a mount, or with OPEN_TREE_CLONE of a detached copy of it."""
    return syscall(number("open_tree"), dirfd, os.fsencode(path), flags | OPEN_TREE_CLOEXEC, path=path)


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int = 0) -> None:
    """move_mount(2). With MOVE_MOUNT_[FT]_EMPTY_PATH and "" the descriptors themselves are meant."""
    syscall(
        number("move_mount"),
        from_fd,
        os.fsencode(from_path),
        to_fd,
        os.fsencode(to_path),
        flags,
        path=to_path or f"/proc/self/fd/{to_fd}",
    )


def fsopen(fstype: str, flags: int = 0) -> int:
    """fsopen(2): a filesystem context. ENODEV: the kernel does not know the type."""
    return syscall(number("fsopen"), os.fsencode(fstype), flags | FSOPEN_CLOEXEC)


def fspick(dirfd: int, path: str, flags: int = 0) -> int:
    """fspick(2): a context to reconfigure the filesystem mounted at `path`."""
    return syscall(number("fspick"), dirfd, os.fsencode(path), flags | FSPICK_CLOEXEC, path=path)


def fsconfig_set_flag(fd: int, key: str) -> None:
    """fsconfig(2), FSCONFIG_SET_FLAG."""
    syscall(number("fsconfig"), fd, _FSCONFIG_SET_FLAG, os.fsencode(key), None, 0)


def fsconfig_set_string(fd: int, key: str, value: str) -> None:
    """fsconfig(2), FSCONFIG_SET_STRING; `value` is at most 255 bytes, else EINVAL."""
    syscall(number("fsconfig"), fd, _FSCONFIG_SET_STRING, os.fsencode(key), os.fsencode(value), 0)


def fsconfig_set_fd(fd: int, key: str, value: int) -> None:
    """fsconfig(2), FSCONFIG_SET_FD; `value` stays the caller's."""
    syscall(number("fsconfig"), fd, _FSCONFIG_SET_FD, os.fsencode(key), None, value)


def fsconfig_create(fd: int) -> None:
    """fsconfig(2), FSCONFIG_CMD_CREATE."""
    syscall(number("fsconfig"), fd, _FSCONFIG_CMD_CREATE, None, None, 0)


def fsconfig_reconfigure(fd: int) -> None:
    """fsconfig(2), FSCONFIG_CMD_RECONFIGURE."""
    syscall(number("fsconfig"), fd, _FSCONFIG_CMD_RECONFIGURE, None, None, 0)


def fscontext_messages(fd: int) -> list[str]:
    """What the kernel says about a failed fsconfig or fsmount: lines such as
    "e overlay: lowerdir is empty" (e error, w warning, i information)."""
    messages: list[str] = []
    while len(messages) < 32:  # the kernel keeps eight; never loop on a surprising descriptor
        try:
            line = os.read(fd, 4096)
        except OSError:  # ENODATA: no more
            break
        if not line:
            break
        messages.append(line.decode(errors="replace").rstrip())
    return messages


def fsmount(fd: int, flags: int = 0, attr_flags: int = 0) -> int:
    """fsmount(2): a descriptor of a detached mount of the created context; for move_mount."""
    return syscall(number("fsmount"), fd, flags | FSMOUNT_CLOEXEC, attr_flags)


def mount_id(fd: int) -> int:
    """The number of the mount that `fd` was opened in (O_PATH will do), proc_pid_fdinfo(5); 0 where it is not told."""
    with open(f"/proc/self/fdinfo/{fd}", "rb", 0) as file:
        for line in file.read().splitlines():
            if line[:7] == b"mnt_id:":
                return int(line[7:])
    return 0


class _MountAttr(ctypes.Structure):
    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


def mount_setattr(
    fd: int,
    path: str,
    flags: int = 0,
    attr_set: int = 0,
    attr_clr: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
) -> None:
    """mount_setattr(2): change a mount's attributes, with AT_RECURSIVE of all below it at once.

    Unlike MS_REMOUNT this keeps attributes that are not named, so a read-only bind of a
    nosuid,nodev mount needs no look at its present flags. `userns_fd` counts with
    MOUNT_ATTR_IDMAP in `attr_set` only.
    """
    attr = _MountAttr(attr_set, attr_clr, propagation, userns_fd)
    syscall(
        number("mount_setattr"),
        fd,
        os.fsencode(path),
        flags,
        ctypes.byref(attr),
        ctypes.sizeof(attr),
        path=path or f"/proc/self/fd/{fd}",
    )
