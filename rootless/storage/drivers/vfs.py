"""The `directory` driver: layers copied on top of each other into a tree of the container's own.

Whiteouts and opaque directories are applied while copying. Contents are shared where the file
system can (FICLONE), else copied in the kernel. Wants the session joined.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from rootless.linux.rlimit import many_descriptors
from rootless.storage import disk_errors
from rootless.storage.copy_data import copy_data
from rootless.storage.layers.whiteouts import is_opaque
from rootless.storage.remove_tree import remove_tree, remove_tree_at

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = ("user.overlay.", "user.fuseoverlayfs.", "trusted.")


def copy_layers(lower: list[str], path: str) -> None:
    """Make `path` from the layer trees `lower` (top first); nothing if it is there.

    Made aside and renamed: `path` is complete or not there. RootlessError when the disk is full.
    """
    if os.path.isdir(path):
        return
    aside = path + ".new"
    remove_tree(aside)
    os.mkdir(aside, 0o755)
    try:
        top = os.open(aside, _DIRECTORY)
        try:
            with many_descriptors():
                for layer in reversed(lower):
                    _LayerCopy(top).run(layer)
        finally:
            os.close(top)
        os.rename(aside, path)
    except OSError as error:
        refused = disk_errors.failed(f"cannot copy the image's files to {path}", error, aside)
        remove_tree(aside)
        raise refused from error
    except BaseException:
        remove_tree(aside)
        raise


class _OpenDirectory(NamedTuple):
    """A directory of the layer, being laid over one of the tree; both ours to close."""

    layer: int
    tree: int
    path: str
    names: Iterator[str]


class _LayerCopy:
    """One layer being laid over a tree; remembers hard links. How deep it is costs descriptors, no stack."""

    def __init__(self, top: int) -> None:
        self._links: dict[tuple[int, int], str] = {}
        self._top = top
        self._open: list[_OpenDirectory] = []

    def run(self, layer: str) -> None:
        try:
            self._enter(os.open(layer, _DIRECTORY), os.open(".", _DIRECTORY, dir_fd=self._top), "")
            while self._open:
                directory = self._open[-1]
                for name in directory.names:
                    self._child(directory, name)
                    break
                else:
                    # Its own metadata last: filling it changes times.
                    copy_metadata(directory.layer, directory.tree, os.fstat(directory.layer))
                    self._open.pop()
                    os.close(directory.layer)
                    os.close(directory.tree)
        finally:
            for directory in self._open:
                os.close(directory.layer)
                os.close(directory.tree)

    def _enter(self, layer: int, tree: int, path: str) -> None:
        self._open.append(_OpenDirectory(layer, tree, path, iter(os.listdir(layer))))
        if is_opaque(layer):
            for name in os.listdir(tree):
                _clear(tree, name)

    def _child(self, directory: _OpenDirectory, name: str) -> None:
        here, there, path, _ = directory
        status = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            self._one(here, there, name, status, path)
            return
        try:
            os.mkdir(name, 0o700, dir_fd=there)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=there, follow_symlinks=False).st_mode):
                _clear(there, name)
                os.mkdir(name, 0o700, dir_fd=there)
        inside = os.open(name, _DIRECTORY, dir_fd=here)
        try:
            tree = os.open(name, _DIRECTORY, dir_fd=there)
        except BaseException:
            os.close(inside)
            raise
        self._enter(inside, tree, f"{path}{name}/")

    def _one(self, here: int, there: int, name: str, status: os.stat_result, path: str) -> None:
        _clear(there, name)
        mode = status.st_mode
        if stat.S_ISCHR(mode):
            return  # 0:0, a whiteout: clearing was all
        if name[:4] == ".wh.":
            if name != ".wh..wh..opq":
                _clear(there, name[4:])
            return
        first = self._links.get((status.st_dev, status.st_ino))
        if first is not None:
            try:
                # Only directories we made ourselves are on that path, and nobody else is in this tree.
                os.link(first, name, src_dir_fd=self._top, dst_dir_fd=there, follow_symlinks=False)
                return
            except OSError:
                pass  # too many links, or a path too long: a copy is as good
        if stat.S_ISREG(mode):
            self._file(here, there, name, status)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
            _own(there, name, status)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(name, mode & 0o7777, dir_fd=there)
            _own(there, name, status)
        if status.st_nlink > 1:
            self._links[(status.st_dev, status.st_ino)] = path + name

    @staticmethod
    def _file(here: int, there: int, name: str, status: os.stat_result) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        try:
            target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=there)
            try:
                copy_data(source, target, status.st_size)
                copy_metadata(source, target, status)
            finally:
                os.close(target)
        finally:
            os.close(source)


def _clear(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        failures = remove_tree_at(parent, name)
        if failures:
            raise OSError(errno.ENOTEMPTY, failures[0]) from None


def _own(parent: int, name: str, status: os.stat_result) -> None:
    if status.st_uid or status.st_gid:
        os.chown(name, status.st_uid, status.st_gid, dir_fd=parent, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=parent, follow_symlinks=False)


def copy_metadata(source: int, target: int, status: os.stat_result) -> None:
    """Owner, mode, times as `status` has them, and the attributes of the open `source`, but for those of overlays."""
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, status.st_mode & 0o7777)
    for name in os.listxattr(source):
        if name.startswith(_PRIVATE) or name == "security.selinux":
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
