"""Mounts that only a build's RUN has: a part of some tree, and a file of a few bytes that no disk ever sees.

Both are first mounted at a directory of the host's that is beside the container's root: this mount namespace is
the container's alone, and nothing of the host is left in it when the command runs. Imported where one is asked for.
"""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import InvalidInput
from rootless.linux import mount as m
from rootless.linux.openat2 import open_without_links
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach, set_attributes
from rootless.runtime.mounts import owners
from rootless.runtime.mounts.overlay import mount_overlay
from rootless.runtime.rootfs_path import open_in_root

if TYPE_CHECKING:
    from typing import Any

TREE = "io.rootless.tree"
"""A mount's type: `lower` (topmost first), `upper` and `work` ("": read-only), `aside`, `read_only`."""
FILE = "io.rootless.file"
"""A mount's type: `text` (bytes), `mode`, `uid`, `gid`, `aside`, `executable`."""
_PART = m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH
_CONFINED = m.MOUNT_ATTR_NODEV | m.MOUNT_ATTR_NOSUID


class TreePart(Record):
    """A file or directory of an overlay: of another stage, an image, or the build context."""

    lower: tuple[str, ...]
    exact: str  # the one of them that is the caller's, and was resolved: a link in it was put there since; "": none is
    upper: str
    work: str
    aside: str
    subpath: str
    guest_path: str
    read_only: bool

    def describe(self) -> str:
        return f"mount {self.subpath} at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        exact = _without_links(self.exact) if self.exact else -1
        try:
            self._mount_whole(tuple(f"/proc/self/fd/{exact}" if path == self.exact else path for path in self.lower))
        finally:
            if exact >= 0:
                os.close(exact)
        top = os.open(self.aside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = _found(top, self.subpath)
        finally:
            os.close(top)
        try:
            part = m.open_tree(found, "", _PART)
        finally:
            os.close(found)
        try:
            set_attributes(part, propagation=m.MS_PRIVATE)
            set_attributes(part, attr=m.MOUNT_ATTR_NODEV | (m.MOUNT_ATTR_RDONLY if self.read_only else 0))
            attach(part, root_fd, self.guest_path, directory=stat.S_ISDIR(os.fstat(part).st_mode))
        finally:
            os.close(part)

    def _mount_whole(self, lower: tuple[str, ...]) -> None:
        if self.upper or len(lower) > 1:
            mount_overlay(self.aside, lower, upper=self.upper, work=self.work)
            return
        top = m.open_tree(m.AT_FDCWD, lower[0], m.OPEN_TREE_CLONE)
        try:
            m.move_mount(top, "", m.AT_FDCWD, self.aside, m.MOVE_MOUNT_F_EMPTY_PATH)
        finally:
            os.close(top)


def _without_links(path: str) -> int:
    try:
        return open_without_links(path)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InvalidInput(
            f"the context {path} was replaced by a symbolic link during the build",
            hint="somebody else may write where it lies: use a directory that only you can write to",
        ) from None


def _found(top: int, subpath: str) -> int:
    try:
        return open_in_root(top, subpath)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise InvalidInput(f'failed to compute cache key: "{subpath}": not found') from None


class MemoryFile(Record):
    """A file on a tmpfs of its own: a secret, or a script of a heredoc."""

    text: bytes
    mode: int
    uid: int
    gid: int
    aside: str
    guest_path: str
    executable: bool

    def describe(self) -> str:
        return f"mount a file at {self.guest_path}"  # its text is nobody's business

    def apply(self, root_fd: int) -> None:
        m.mount("tmpfs", self.aside, "tmpfs", m.MS_NOSUID | m.MS_NODEV, "mode=0700")
        top = os.open(self.aside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open("file", flags, 0o600, dir_fd=top)
            try:
                view = memoryview(self.text)
                while view:
                    view = view[os.write(fd, view) :]
                owners.give(fd, self.uid, self.gid, self.mode, self.guest_path)
            finally:
                os.close(fd)
            fd = os.open("file", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
        finally:
            os.close(top)
        try:
            part = m.open_tree(fd, "", _PART)
        finally:
            os.close(fd)
        try:
            set_attributes(part, propagation=m.MS_PRIVATE)
            more = 0 if self.executable else m.MOUNT_ATTR_NOEXEC
            set_attributes(part, attr=_CONFINED | m.MOUNT_ATTR_RDONLY | more)
            attach(part, root_fd, self.guest_path, directory=False)
        finally:
            os.close(part)


def of(entry: dict[str, Any], subpath: str) -> TreePart | MemoryFile:
    """The step for a mount of type TREE or FILE."""
    target = entry["destination"]
    if entry["type"] == FILE:
        return MemoryFile(
            entry["text"], entry["mode"], entry["uid"], entry["gid"], entry["aside"], target, entry["executable"]
        )
    return TreePart(
        tuple(entry["lower"]), entry["exact"], entry["upper"], entry["work"], entry["aside"], subpath, target,
        entry["read_only"],
    )  # fmt: skip
