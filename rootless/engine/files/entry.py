"""One name in an open directory, and what of a tree is the kernel's own and no file of anybody's.

Works on directory descriptors and single names, never on paths: a container that swaps a directory
for a link while we copy gets an error, not a file of the host.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from rootless.errors import Conflict, RootlessError
from rootless.linux.filesystem import filesystem_magic
from rootless.linux.mount import mount_id

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: it may have become a FIFO since we looked.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_TMPFS = 0x01021994
# proc, sysfs, cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf, configfs, binfmt_misc, pstore
_KERNELS = frozenset((
    0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x1CD1, 0x19800202, 0x64626720, 0x74726163, 0x73636673,
    0xCAFE4A11, 0x62656570, 0x42494E4D, 0x6165676C,
))  # fmt: skip
_MOST_KERNEL_BYTES = 16 << 20
_DEEPEST = 2000  # as copy_tree.py


class FileEntry(NamedTuple):
    """A name in an open directory. The descriptor is the caller's."""

    directory: int
    name: str

    def stat(self) -> os.stat_result | None:
        """lstat(2) of it; None where it does not exist."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_directory(self) -> int:
        """The directory of that name, opened for listing; the caller's."""
        return os.open(self.name, DIRECTORY, dir_fd=self.directory)

    def refuse_mount_point(self) -> None:
        """Conflict where something is mounted there. From outside of the mount's namespace it could be
        replaced all the same: the mount would go, and what was copied lie where the next start covers it."""
        try:
            fd = os.open(self.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory)
        except FileNotFoundError:
            return
        try:
            mounted = mount_id(fd) != mount_id(self.directory)
        finally:
            os.close(fd)
        if mounted:
            raise Conflict(
                f"cannot replace {self.name!r}: a file is mounted there: device or resource busy",
                hint="write to the file of the host that is mounted there",
            )


def refuse_mounts_below(directory: int, name: str) -> None:
    """Conflict where something is mounted in the directory of that name, at any depth: who deletes it from outside of the
    mount's namespace goes on into what is mounted there, or takes the mount away."""
    outer = mount_id(directory)
    levels: list[tuple[int, Iterator[str]]] = []
    try:
        _go_into(FileEntry(directory, name), levels)
        while levels:
            fd, names = levels[-1]
            child = next(names, None)
            if child is None:
                os.close(levels.pop()[0])
                continue
            entry = os.open(child, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            try:
                if mount_id(entry) != outer:
                    raise Conflict(
                        f"cannot replace the directory {name!r} by a file: something is mounted at {child!r} in it: device or "
                        "resource busy",
                        hint="unpack it elsewhere, or below what is mounted there",
                    )
                if stat.S_ISDIR(os.fstat(entry).st_mode):
                    _go_into(FileEntry(fd, child), levels)
            finally:
                os.close(entry)
    finally:
        for fd, _ in levels:
            os.close(fd)


def _go_into(entry: FileEntry, levels: list[tuple[int, Iterator[str]]]) -> None:
    if len(levels) > _DEEPEST:
        raise RootlessError(f"{entry.name}: directories nested more than {_DEEPEST} deep")
    fd = entry.open_directory()
    levels.append((fd, iter(())))
    levels[-1] = (fd, iter(os.listdir(fd)))


def kernels(fd: int) -> bool:
    """Whether the file or directory `fd` is the kernel's: of /proc, /sys and the like, which hold no files."""
    return filesystem_magic(fd) in _KERNELS


def left_out(inside: int, name: str, parent: int, top: tuple[int, int] | None) -> str:
    """Why the directory `inside`, `name` in `parent`, counts as empty; "" where it does not. `top` identifies
    the root of a container that runs: its /dev holds the kernel's devices, and what it keeps in memory."""
    if kernels(inside):
        return "a file system of the kernel, its contents left out"
    if name == "dev" and top is not None and identity(os.fstat(parent)) == top and filesystem_magic(inside) == _TMPFS:
        return "devices, left out"
    return ""


def identity(status: os.stat_result) -> tuple[int, int]:
    """Equal for the same file as long as it exists."""
    return status.st_dev, status.st_ino


def read_kernels(fd: int) -> bytes:
    """All of a file of /proc or /sys, whose size nobody knows before; RootlessError where it has no end."""
    pieces, left = [], _MOST_KERNEL_BYTES
    while data := os.read(fd, min(left, 1 << 16)):
        pieces.append(data)
        left -= len(data)
        if not left:
            raise RootlessError(f"a file of the kernel is larger than {_MOST_KERNEL_BYTES >> 20} MiB")
    return b"".join(pieces)
