"""Copying a file or tree from one place to another, where either may be a hostile container's.

Runs in the session, on entries (entry.py). Directories are gone through with a list of our own: how deep a
tree is costs descriptors, never the interpreter's stack.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rootless.engine.files.entry import (
    FILE,
    FileEntry,
    identity,
    kernels,
    left_out,
    read_kernels,
    refuse_mounts_below,
)
from rootless.engine.files.hard_links import HardLinks
from rootless.errors import Conflict, RootlessError
from rootless.linux.rlimit import many_descriptors
from rootless.storage.copy_data import copy_attributes, copy_data, kept_attributes
from rootless.storage.layers import recorded
from rootless.storage.owner_file import LinkOwners
from rootless.storage.remove_tree import remove_tree_at

_DEEPEST = 2000  # above it PATH_MAX is near, and thousands of descriptors


class Policy(NamedTuple):
    """What becomes of owners and modes: `owner` None keeps them (cp -a), else all get that uid and gid.

    `kept`: what an owner that is kept is called on the other side, where a container has ids of its own.

    `special_bits` False drops setuid and setgid: on the host they would lend our rights to others.

    `top` identifies the root of the source, a container that runs: its devices are no files to copy.

    `replace`: a directory gives way to a file, and a file to a directory.

    `links`: what the source's container has kept of its files' owners. `emulated`: what is recorded of them is believed: emulated
    ids wrote it, or unpacking.

    `moves`: the source is ours and deleted afterwards: files of it are renamed where that can be, and written once.
    """

    owner: tuple[int, int] | None
    special_bits: bool
    kept: Callable[[int, int], tuple[int, int]] | None = None
    top: tuple[int, int] | None = None
    replace: bool = False
    moves: bool = False
    links: LinkOwners | None = None
    emulated: bool = False


def copy(source: FileEntry, target: FileEntry, policy: Policy) -> list[str]:
    """Copy `source` to the name `target`, merging directories and replacing files.

    Returns what was left out (sockets, device nodes, the kernel's own), one line each. Conflict where a
    directory would replace a file or the other way round, or be copied into itself. A file that is
    replaced is there all the time, the old or the new one; one that grows is cut at the size first seen.
    """
    with many_descriptors():
        return _TreeCopy(policy).run(source, target)


def contents(source_fd: int, target_fd: int, policy: Policy) -> list[str]:
    """Copy all that is in one directory into another; see `copy`."""
    return copy(FileEntry(source_fd, "."), FileEntry(target_fd, "."), policy)


class _OpenDirectory(NamedTuple):
    """A directory that is being copied; the descriptors are ours."""

    inside: int
    outside: int
    names: Iterator[str]
    status: os.stat_result | None  # what it is given at the end, where it is new
    path: str


class _TreeCopy:
    """One copy under way."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._levels: list[_OpenDirectory] = []
        self._made: set[tuple[int, int]] = set()
        self._warnings: list[str] = []
        self._links: HardLinks | None = None
        self._giver = recorded.Giver()
        self._owners = recorded.Reader(policy.links, kept=policy.emulated)

    def run(self, source: FileEntry, target: FileEntry) -> list[str]:
        self._links = HardLinks(source, target)
        try:
            self._one(source, target, source.name)
            while self._levels:
                level = self._levels[-1]
                for name in level.names:
                    path = f"{level.path}/{name}" if level.path != "." else name
                    self._one(FileEntry(level.inside, name), FileEntry(level.outside, name), path)
                    break
                else:
                    self._leave()
        finally:
            for level in self._levels:
                os.close(level.inside)
                os.close(level.outside)
        if self._giver.forgotten:
            self._warnings.append(f"owners that have no id here, kept as root: {self._giver.forgotten}")
        return self._warnings

    def _one(self, source: FileEntry, target: FileEntry, path: str) -> None:
        status = source.stat()
        if status is None:
            if self._levels:
                self._warnings.append(f"{path}: vanished while it was copied")
        elif stat.S_ISDIR(status.st_mode):
            self._enter(source, target, status, path)
        elif stat.S_ISREG(status.st_mode):
            self._file(source, target, path)
        elif stat.S_ISLNK(status.st_mode):
            link = os.readlink(source.name, dir_fd=source.directory)
            self._put(target, lambda new: self._made_by_name(source, new, status, link))
        elif stat.S_ISFIFO(status.st_mode):
            self._put(target, lambda new: self._made_by_name(source, new, status, ""))
        else:
            kind = "socket" if stat.S_ISSOCK(status.st_mode) else "device"
            self._warnings.append(f"{path}: {kind} left out")

    def _enter(self, source: FileEntry, target: FileEntry, status: os.stat_result, path: str) -> None:
        there = target.stat()
        if there is not None and not stat.S_ISDIR(there.st_mode):
            if not self._policy.replace:
                raise Conflict(f"cannot overwrite non-directory {target.name!r} with a directory")
            target.refuse_mount_point()
            os.unlink(target.name, dir_fd=target.directory)
            there = None
        if identity(status) in self._made:
            raise Conflict(f"cannot copy a directory, {path!r}, into itself")
        if len(self._levels) > _DEEPEST:
            raise RootlessError(f"{source.name}: directories nested more than {_DEEPEST} deep")
        # Listed before anything is made: what lies on both sides is not copied again.
        inside = source.open_directory()
        try:
            why = left_out(inside, source.name, source.directory, self._policy.top)
            names = [] if why else os.listdir(inside)
            if there is None:
                os.mkdir(target.name, 0o700, dir_fd=target.directory)
            outside = target.open_directory()
        except BaseException:
            os.close(inside)
            raise
        if why:
            self._warnings.append(f"{path}: {why}")
        if there is None:
            self._made.add(identity(os.fstat(outside)))
        # Who writes to the target may have put another directory there since we made ours: it is not given away.
        given = status if there is None and not os.listdir(outside) else None
        self._levels.append(_OpenDirectory(inside, outside, iter(names), given, path))

    def _leave(self) -> None:
        level = self._levels.pop()
        try:
            if level.status is not None:
                copy_attributes(level.inside, level.outside, capabilities=False)
                self._give(level.outside, level.status, self._owners.owner(level.inside, level.status))
        finally:
            os.close(level.inside)
            os.close(level.outside)

    def _file(self, source: FileEntry, target: FileEntry, path: str) -> None:
        inside = os.open(source.name, FILE, dir_fd=source.directory)
        try:
            status = os.fstat(inside)
            if not stat.S_ISREG(status.st_mode):
                raise Conflict(f"{source.name}: changed while it was copied")

            links = self._links if status.st_nlink > 1 else None

            def fill(new: FileEntry) -> None:
                if links is not None and links.link(status, new):
                    return
                if self._policy.moves and links is None and self._moved(source, inside, new, status):
                    return
                create = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                outside = os.open(new.name, create, 0o600, dir_fd=new.directory)
                try:
                    if not status.st_size and kernels(inside):
                        os.write(outside, read_kernels(inside))
                    else:
                        copy_data(inside, outside, status.st_size)
                    self._give(outside, status, self._owners.owner(inside, status))
                    copy_attributes(inside, outside, capabilities=self._policy.special_bits)
                    if links is not None:
                        links.remember(status, path, os.fstat(outside))
                finally:
                    os.close(outside)

            self._put(target, fill)
        finally:
            os.close(inside)

    def _moved(self, source: FileEntry, inside: int, new: FileEntry, status: os.stat_result) -> bool:
        """Rename the file `source`, open as `inside`, to `new`. False where a copy would be another file than it is, or it
        lies on another mount."""
        if len(os.listxattr(inside)) != len(kept_attributes(inside, capabilities=False)):
            return False  # something that is not copied, or that chown(2) clears
        try:
            os.rename(source.name, new.name, src_dir_fd=source.directory, dst_dir_fd=new.directory)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        self._give(inside, status, self._owners.owner(inside, status))
        return True

    def _put(self, target: FileEntry, make: Callable[[FileEntry], None]) -> None:
        """Make what `make` does at `target`; beside it and renamed where something is there already."""
        there = target.stat()
        if there is None:
            make(target)
            return
        if stat.S_ISDIR(there.st_mode):
            self._clear(target)
            make(target)
            return
        target.refuse_mount_point()
        aside = FileEntry(target.directory, f".rootless-cp-{os.urandom(8).hex()}")
        try:
            make(aside)
            os.rename(aside.name, target.name, src_dir_fd=aside.directory, dst_dir_fd=target.directory)
        finally:
            # Gone where it was renamed, but for two names of one file: rename(2) then does nothing.
            try:
                os.unlink(aside.name, dir_fd=aside.directory)
            except OSError:
                pass

    def _clear(self, target: FileEntry) -> None:
        """Remove the directory that a file is to replace."""
        if not self._policy.replace or target.name == ".":
            raise Conflict(f"cannot overwrite directory {target.name!r} with a non-directory")
        target.refuse_mount_point()
        refuse_mounts_below(target.directory, target.name)
        failures = remove_tree_at(target.directory, target.name)
        if failures:
            raise Conflict(f"cannot overwrite directory {target.name!r} with a non-directory: {failures[0]}")

    def _made_by_name(self, source: FileEntry, new: FileEntry, status: os.stat_result, link: str) -> None:
        """Make the link, or the FIFO, that `status` is of."""
        if stat.S_ISLNK(status.st_mode):
            os.symlink(link, new.name, dir_fd=new.directory)
        else:
            os.mkfifo(new.name, 0o600, dir_fd=new.directory)
        fd = os.open(new.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=new.directory)
        try:
            if stat.S_IFMT(os.fstat(fd).st_mode) != stat.S_IFMT(status.st_mode):
                raise Conflict(f"{new.name}: changed while it was copied")
            self._give(fd, status, self._owners.owner_by_name(source.directory, source.name, status))
        finally:
            os.close(fd)

    def _give(self, fd: int, status: os.stat_result, owner: tuple[int, int]) -> None:
        """Mode, times, and the `owner` of its original. Owner first: chown(2) clears the bits that chmod(2) then sets.

        Of what we made, by its descriptor: a container that runs may have put a link of that name in its place,
        or a file that it cannot read, which would be given to it or to all.
        """
        policy = self._policy
        if policy.owner is not None:
            owner = policy.owner
        elif policy.kept is not None:
            owner = policy.kept(*owner)
        self._giver.give(fd, owner)
        path = f"/proc/self/fd/{fd}"  # of a link, the link itself
        if not stat.S_ISLNK(status.st_mode):
            mode = stat.S_IMODE(status.st_mode)
            os.chmod(path, mode if policy.special_bits else mode & 0o1777)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
