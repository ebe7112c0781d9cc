"""Filesystems and files, where `os` stops: type, syncfs, renameat2. Hot path."""

from __future__ import annotations

import os
import sys

from rootless.linux import ctypes, struct
from rootless.linux.libc import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    libc,
    number,
    raise_errno,
    syscall,
)

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
RENAME_WHITEOUT = 4
_STATX_BTIME = 0x800
_AT_STATX_DONT_SYNC = 0x4000
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_LOCAL_LOCKS = frozenset({"local_lock=all", "local_lock=flock", "localflock"})

SERVED = frozenset({"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "ceph", "afs", "beegfs", "panfs", "9p"})
"""Types of file systems that a server keeps, as mountinfo names them; those of FUSE are fuse.NAME."""

# statfs(2), the ones a decision hangs on.
MAGIC: dict[str, int] = {
    "nfs": 0x6969,
    "smb2": 0xFE534D42,
    "cifs": 0xFF534D42,
    "fuse": 0x65735546,
    "overlay": 0x794C7630,
    "tmpfs": 0x01021994,
    "ext4": 0xEF53,
    "xfs": 0x58465342,
    "btrfs": 0x9123683E,
    "zfs": 0x2FC12FC1,
    "bcachefs": 0xCA451A4E,
    "f2fs": 0xF2F52010,
    "lustre": 0x0BD00BD0,
    "gpfs": 0x47504653,
    "beegfs": 0x19830326,
    "ceph": 0x00C36400,
    "afs": 0x5346414F,
    "9p": 0x01021997,
    "ecryptfs": 0xF15F,
    "squashfs": 0x73717368,
    "ramfs": 0x858458F6,
    "proc": 0x9FA0,
    "sysfs": 0x62656572,
    "cgroup2": 0x63677270,
}

_syncfs = libc.syncfs
_syncfs.argtypes = (ctypes.c_int,)
_statfs = libc.statfs
_statfs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
_fstatfs = libc.fstatfs
_fstatfs.argtypes = (ctypes.c_int, ctypes.c_void_p)


def file_identity(path: str) -> str:
    """What changes with every replacement and every change of a file: "" where there is none. The launcher has the same words
    (helpers/ranks/facts.c), and none that are "unknown"."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return ""
    except OSError:
        return "unknown"
    times = (f"{ns // 1_000_000_000}.{ns % 1_000_000_000}" for ns in (status.st_mtime_ns, status.st_ctime_ns))
    return f"{status.st_dev} {status.st_ino} {status.st_size} {' '.join(times)}"


def filesystem_magic(path: str | int) -> int:
    """statfs(2), fstatfs(2): f_type of the filesystem that holds `path`, a path or a descriptor."""
    # struct statfs is 120 bytes on 64-bit Linux and starts with f_type as a long.
    buffer = ctypes.create_string_buffer(256)
    if isinstance(path, int):
        if _fstatfs(path, ctypes.addressof(buffer)) != 0:
            raise_errno()
    elif _statfs(os.fsencode(path), ctypes.addressof(buffer)) != 0:
        raise_errno(path)
    return int.from_bytes(buffer.raw[:8], "little") & 0xFFFFFFFF


def filesystem_type(path: str | int) -> str:
    """The name in MAGIC of the filesystem that holds `path`, else its number in hexadecimal."""
    magic = filesystem_magic(path)
    for name, value in MAGIC.items():
        if value == magic:
            return name
    return hex(magic)


def has_local_locks(path: str) -> bool:
    """Whether other machines do not see who has locked a file there: NFS mounted with nolock or local_lock, Lustre with localflock."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo") as file:
        for line in file:
            mount, _, of_the_file_system = line.rstrip("\n").rpartition(" - ")
            if mount.split(" ", 3)[2] == wanted:
                return not _LOCAL_LOCKS.isdisjoint(of_the_file_system.split(" ")[-1].split(","))
    return False


def syncfs(fd: int) -> None:
    """syncfs(2): write out the whole filesystem of `fd`: one call where a tree is made durable."""
    if _syncfs(fd) != 0:
        raise_errno()


def renameat2(old_dirfd: int, old: str, new_dirfd: int, new: str, flags: int = 0) -> None:
    """renameat2(2). EINVAL: the filesystem cannot do that flag (NFS: none of them)."""
    syscall(number("renameat2"), old_dirfd, os.fsencode(old), new_dirfd, os.fsencode(new), flags, path=old)


def birth_time(name: str, *, dir_fd: int) -> int | None:
    """statx(2): when the file was made, in nanoseconds; of a link, the link. None where the filesystem does not say."""
    buffer = ctypes.create_string_buffer(256)
    syscall(number("statx"), dir_fd, os.fsencode(name), AT_SYMLINK_NOFOLLOW, _STATX_BTIME, ctypes.byref(buffer), path=name)
    if not int.from_bytes(buffer.raw[:4], sys.byteorder) & _STATX_BTIME:
        return None
    seconds = int.from_bytes(buffer.raw[80:88], sys.byteorder, signed=True)  # stx_btime
    return seconds * 1_000_000_000 + int.from_bytes(buffer.raw[88:92], sys.byteorder)


def known_device(fd: int) -> int:
    """statx(2): the device number of the open file's filesystem, as the kernel has it: a server is not asked."""
    buffer = ctypes.create_string_buffer(256)
    syscall(number("statx"), fd, b"", AT_EMPTY_PATH | _AT_STATX_DONT_SYNC, 0, ctypes.byref(buffer))
    major, minor = (int.from_bytes(buffer.raw[start : start + 4], sys.byteorder) for start in (136, 140))  # stx_dev_major, stx_dev_minor
    return os.makedev(major, minor)


def touch_access_time(path: str) -> None:
    """Set the file's atime to now, by the clock of who keeps the file system, and leave its mtime: os.utime has no word for that."""
    times = struct.pack("4l", 0, _UTIME_NOW, 0, _UTIME_OMIT)
    if libc.utimensat(AT_FDCWD, os.fsencode(path), times, 0) != 0:
        raise_errno(path)


def rename_noreplace(old: str, new: str) -> None:
    """Rename atomically, FileExistsError when `new` exists (of whatever type)."""
    renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE)


def chmod_nofollow(name: str, mode: int, *, dir_fd: int | None = None) -> None:
    """chmod(2) of what `name` is, never of what a link of that name leads to: that is EOPNOTSUPP.

    fchmodat(2) follows links, and whoever writes to the directory may have put one there since we
    looked; fchmodat2(2), which would not, came with Linux 6.6. Needs /proc.
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)
