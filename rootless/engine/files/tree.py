"""Copying a file or tree from one place to another, where either may be a hostile container's.

Works on directory descriptors and single names, never on paths: a container that swaps a directory
for a link while we copy gets an error, not a file of the host. Runs in the session.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from rootless.errors import Conflict, RootlessError
from rootless.linux.filesystem import chmod_nofollow

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_DEEPEST = 2000


class Entry(NamedTuple):
    """A name in an open directory. The descriptor is the caller's."""

    directory: int
    name: str

    def stat(self) -> os.stat_result | None:
        """lstat(2) of it; None where it does not exist."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None


class Policy(NamedTuple):
    """What becomes of owners and modes: `owner` None keeps them (cp -a), else all get that uid and gid.

    `kept`: what an owner that is kept is called on the other side, where a container has ids of its own.

    `special_bits` False drops setuid and setgid: on the host they would lend our rights to others.
    """

    owner: tuple[int, int] | None
    special_bits: bool
    kept: Callable[[int, int], tuple[int, int]] | None = None


def copy(source: Entry, target: Entry, policy: Policy, *, depth: int = 0) -> list[str]:
    """Copy `source` to the name `target`, merging directories and replacing files.

    Returns what was left out (sockets, device nodes), one line each. Conflict where a directory
    would replace a file or the other way round.
    """
    status = source.stat()
    if status is None:
        return [f"{source.name}: vanished while it was copied"] if depth else []
    if depth > _DEEPEST:
        raise RootlessError(f"{source.name}: directories nested more than {_DEEPEST} deep")
    if stat.S_ISDIR(status.st_mode):
        return _copy_directory(source, target, status, policy, depth)
    _make_room(target)
    if stat.S_ISREG(status.st_mode):
        _copy_file(source, target, policy)
    elif stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source.name, dir_fd=source.directory), target.name, dir_fd=target.directory)
        _give(target, status, policy)
    elif stat.S_ISFIFO(status.st_mode):
        os.mkfifo(target.name, 0o600, dir_fd=target.directory)
        _give(target, status, policy)
    else:
        return [f"{source.name}: {'socket' if stat.S_ISSOCK(status.st_mode) else 'device'} left out"]
    return []


def _make_room(target: Entry) -> None:
    there = target.stat()
    if there is None:
        return
    if stat.S_ISDIR(there.st_mode):
        raise Conflict(f"cannot overwrite directory {target.name!r} with a non-directory")
    os.unlink(target.name, dir_fd=target.directory)


def _copy_directory(
    source: Entry, target: Entry, status: os.stat_result, policy: Policy, depth: int
) -> list[str]:
    there = target.stat()
    if there is not None and not stat.S_ISDIR(there.st_mode):
        raise Conflict(f"cannot overwrite non-directory {target.name!r} with a directory")
    if there is None:
        os.mkdir(target.name, 0o700, dir_fd=target.directory)
    inside = os.open(source.name, _DIRECTORY, dir_fd=source.directory)
    try:
        outside = os.open(target.name, _DIRECTORY, dir_fd=target.directory)
        try:
            left_out = contents(inside, outside, policy, depth=depth + 1)
        finally:
            os.close(outside)
    finally:
        os.close(inside)
    if there is None:
        _give(target, status, policy)
    return left_out


def contents(source_fd: int, target_fd: int, policy: Policy, *, depth: int = 1) -> list[str]:
    """Copy all that is in one directory into another; see `copy`."""
    left_out: list[str] = []
    for name in os.listdir(source_fd):
        left_out += copy(Entry(source_fd, name), Entry(target_fd, name), policy, depth=depth)
    return left_out


def _copy_file(source: Entry, target: Entry, policy: Policy) -> None:
    # O_NONBLOCK: it may have become a FIFO since we looked.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    inside = os.open(source.name, flags, dir_fd=source.directory)
    try:
        status = os.fstat(inside)
        if not stat.S_ISREG(status.st_mode):
            raise Conflict(f"{source.name}: changed while it was copied")
        create = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        outside = os.open(target.name, create, 0o600, dir_fd=target.directory)
        try:
            _copy_bytes(inside, outside)
        finally:
            os.close(outside)
    finally:
        os.close(inside)
    _give(target, status, policy)


def _copy_bytes(inside: int, outside: int) -> None:
    try:
        while os.copy_file_range(inside, outside, _CHUNK):
            pass
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    while data := os.read(inside, _CHUNK):
        view = memoryview(data)
        while view:
            view = view[os.write(outside, view) :]


def _give(target: Entry, status: os.stat_result, policy: Policy) -> None:
    """Owner first: chown(2) clears the bits that chmod(2) then sets."""
    owner = policy.owner
    if owner is None:
        owner = (status.st_uid, status.st_gid) if policy.kept is None else policy.kept(status.st_uid, status.st_gid)
    where = {"dir_fd": target.directory, "follow_symlinks": False}
    os.chown(target.name, *owner, **where)  # type: ignore[arg-type]
    if not stat.S_ISLNK(status.st_mode):
        mode = stat.S_IMODE(status.st_mode)
        # The container that runs may put a link in the place of what we have just made.
        chmod_nofollow(target.name, mode if policy.special_bits else mode & 0o1777, dir_fd=target.directory)
    os.utime(target.name, ns=(status.st_atime_ns, status.st_mtime_ns), **where)  # type: ignore[arg-type]
