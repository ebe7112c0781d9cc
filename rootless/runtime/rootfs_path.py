"""Paths inside a container's root, which its image chose: never follow one out. Hot path."""

from __future__ import annotations

import errno
import os
import stat

from rootless.linux.filesystem import filesystem_type
from rootless.linux.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    openat2,
)
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    # Makes the entry of a directory that is missing; whether it is the last of the path.
    Make = Callable[[int, str, bool], None]

_MOST_LINKS = 40


def open_in_root(root_fd: int, guest_path: str, flags: int = os.O_PATH, *, links: bool = True) -> int:
    """Open `guest_path` with `root_fd` as "/": a close-on-exec descriptor, the caller's.

    Symbolic links resolve inside the root; magic links of /proc are refused (ELOOP), and with
    `links` False any link. Kernels before 5.6 get the same by a walk, component by component.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if links else RESOLVE_NO_SYMLINKS)
    try:
        return openat2(root_fd, guest_path.lstrip("/") or ".", flags, 0, resolve)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    fd = walk(root_fd, guest_path, make=None, links=links)
    if flags & os.O_PATH:
        return fd
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
    finally:
        os.close(fd)


_PROC_ROOT_INODE = 1


def open_proc_file(root_fd: int, name: str, flags: int) -> int:
    """Open `name` below /proc of `root_fd`: the kernel's own file, never one that is mounted over it
    (CVE-2025-52881). OSError EXDEV or ELOOP where something else is in the way; the caller's."""
    proc = open_in_root(root_fd, "/proc", links=False)
    try:
        if filesystem_type(proc) != "proc" or os.fstat(proc).st_ino != _PROC_ROOT_INODE:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), "/proc")
        resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
        try:
            return openat2(proc, name, flags, 0, resolve)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
        fd = walk(proc, name, make=None, links=False)
        try:
            # Every mount of a proc has its own number, but for two of one pid namespace.
            if os.fstat(fd).st_dev != os.fstat(proc).st_dev:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
            return os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
        finally:
            os.close(fd)
    finally:
        os.close(proc)


def mount_target(root_fd: int, guest_path: str, *, directory: bool, links: bool = True) -> int:
    """An O_PATH descriptor of where something is to be mounted, made where it is missing.

    What is missing is made inside the root even where a dangling link of the image points out
    (/etc/resolv.conf of many distributions); parents 0755.
    """
    try:
        return open_in_root(root_fd, guest_path, links=links)
    except FileNotFoundError:
        return walk(root_fd, guest_path, make=_make_directory if directory else _make_file, links=links)


def walk(root_fd: int, guest_path: str, *, make: Make | None, links: bool = True) -> int:
    """An O_PATH descriptor of `guest_path` with `root_fd` as "/", component by component, the caller's.

    `make` makes what is missing, also behind a link that leads to nothing; FileNotFoundError without. ELOOP for too
    many links, and for any where `links` is False.
    """
    # A stack of open directories is what ".." goes back through: no name is looked up twice.
    stack = [os.dup(root_fd)]
    os.set_inheritable(stack[0], False)
    todo = _components(guest_path)
    followed = 0
    try:
        while todo:
            name = todo.pop()
            if name == "..":
                if len(stack) > 1:
                    os.close(stack.pop())
                continue
            fd = _step(stack[-1], name, make, last=not todo)
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                os.close(fd)
                followed += 1
                if not links or followed > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), guest_path)
                link = os.readlink(name, dir_fd=stack[-1])
                if link.startswith("/"):
                    while len(stack) > 1:
                        os.close(stack.pop())
                todo += _components(link)
                continue
            stack.append(fd)
        return stack.pop()
    finally:
        for fd in stack:
            os.close(fd)


def _components(path: str) -> list[str]:
    """Last first, so that pop() takes the next."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _step(dir_fd: int, name: str, make: Make | None, *, last: bool) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        if make is None:
            raise
    make(dir_fd, name, last)
    return os.open(name, flags, dir_fd=dir_fd)


def _make_directory(dir_fd: int, name: str, last: bool) -> None:
    os.mkdir(name, 0o755, dir_fd=dir_fd)


def _make_file(dir_fd: int, name: str, last: bool) -> None:
    if not last:
        _make_directory(dir_fd, name, last)
        return
    made = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(name, made, 0o644, dir_fd=dir_fd))
