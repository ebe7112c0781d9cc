"""tmpcopyup: a new tmpfs that begins with what the directory below it holds.

Everything is reached by descriptor, so that no link of the image leads out of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rootless.runtime.rootfs_path import mount_target, open_in_root


@contextmanager
def below(root_fd: int, guest_path: str) -> Iterator[Callable[[int], None]]:
    """Hold the directory at `guest_path`; the function given copies it into what has been mounted
    over it since."""
    place = mount_target(root_fd, guest_path, directory=True)
    os.close(place)
    source = open_in_root(root_fd, guest_path, os.O_RDONLY | os.O_DIRECTORY)

    def copy(root_fd: int) -> None:
        target = open_in_root(root_fd, guest_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _copy_directory(source, target)
        finally:
            os.close(target)

    try:
        yield copy
    finally:
        os.close(source)


def _copy_directory(source: int, target: int) -> None:
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=target)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            one, other = os.open(name, flags, dir_fd=source), os.open(name, flags, dir_fd=target)
            try:
                _copy_directory(one, other)
            finally:
                os.close(one)
                os.close(other)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        elif stat.S_ISREG(status.st_mode):  # nodes, sockets and FIFOs are not content
            _copy_file(source, target, name)
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))


def _copy_file(source: int, target: int, name: str) -> None:
    one = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        made = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        other = os.open(name, made, 0o600, dir_fd=target)
        try:
            while os.sendfile(other, one, None, 1 << 20):
                pass
            status = os.fstat(one)
            os.fchown(other, status.st_uid, status.st_gid)
            os.fchmod(other, stat.S_IMODE(status.st_mode))
        finally:
            os.close(other)
    finally:
        os.close(one)
