"""What a step changed where its root is a copy of the layers (the storage driver `directory`), as a layer.

Before the step the copy is noted: inode and ctime of every entry. Nobody can set a ctime, and what is written,
given away, renamed, linked or unlinked gets a new one: so what has another inode or ctime afterwards was changed, and
nothing has to be compared. Clocks of file systems are coarse: the step begins when theirs has gone on.
What was changed is moved out of the copy, which nobody needs any more, into an upper directory as overlayfs makes it.
"""

from __future__ import annotations

import marshal
import os
import stat
import time
from collections.abc import Iterator

from rootless.linux.rlimit import many_descriptors
from rootless.storage.drivers.vfs import copy_metadata
from rootless.storage.layers.directory_cache import OPAQUE_XATTR

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A container may write them where there is no overlayfs to refuse that; in a layer they would be overlayfs's own.
_RESERVED = ("user.overlay.", "user.fuseoverlayfs.")

_Noted = dict[str, dict[str, tuple[int, int, bool]]]  # by directory and name: inode, ctime, whether it is a directory


def note(root: str) -> None:
    """Note what is in the copy `root`, which nobody writes to any more but the step that is to begin."""
    found: _Noted = {}
    latest = 0
    with many_descriptors():
        for fd, path in _directories(root):
            status = os.fstat(fd)
            latest = max(latest, status.st_ctime_ns)
            inner = found[path] = {".": (status.st_ino, status.st_ctime_ns, True)}
            for name in os.listdir(fd):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                latest = max(latest, status.st_ctime_ns)
                inner[name] = (status.st_ino, status.st_ctime_ns, stat.S_ISDIR(status.st_mode))
    with open(_place(root), "wb") as file:
        marshal.dump(found, file)
    while os.stat(_place(root)).st_ctime_ns <= latest:
        time.sleep(0.001)
        os.utime(_place(root))


def changes(root: str) -> str:
    """Move what was changed since `note` into a directory `upper` beside the copy, which is of no use then: its path."""
    with open(_place(root), "rb") as file:
        noted: _Noted = marshal.load(file)
    upper = f"{os.path.dirname(root)}/upper"
    os.mkdir(upper, 0o700)
    with many_descriptors():
        _Changes(noted).run(root, upper)
    return upper


def _place(root: str) -> str:
    return f"{os.path.dirname(root)}/noted"


def _directories(root: str) -> Iterator[tuple[int, str]]:
    """All directories, each open until those in it are done; how deep they are costs descriptors, no stack."""
    opened = [(os.open(root, _DIRECTORY), "", [""])]
    try:
        yield opened[0][0], ""
        opened[0] = (opened[0][0], "", _inner(opened[0][0]))
        while opened:
            fd, path, names = opened[-1]
            if not names:
                os.close(opened.pop()[0])
                continue
            name = names.pop()
            inside = os.open(name, _DIRECTORY, dir_fd=fd)
            opened.append((inside, f"{path}{name}/", []))
            yield inside, f"{path}{name}/"
            opened[-1] = (inside, f"{path}{name}/", _inner(inside))
    finally:
        for fd, _, _ in opened:
            os.close(fd)


def _inner(fd: int) -> list[str]:
    return [
        name for name in os.listdir(fd) if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    ]


class _Open:
    """A directory of the copy that was there before; `upper` is its like in the layer, -1 as long as nothing is in it."""

    def __init__(self, tree: int, name: str, path: str) -> None:
        self.tree, self.name, self.path, self.upper = tree, name, path, -1
        self.status = os.fstat(tree)  # as the step has left it: what is moved out changes its times
        self.names = sorted(os.listdir(tree))

    def close(self) -> None:
        if self.upper >= 0:
            copy_metadata(self.tree, self.upper, self.status)
            os.close(self.upper)
        os.close(self.tree)


class _Changes:
    def __init__(self, noted: _Noted) -> None:
        self._noted = noted
        self._open: list[_Open] = []

    def run(self, root: str, upper: str) -> None:
        top = _Open(os.open(root, _DIRECTORY), "", "")
        top.upper = os.open(upper, _DIRECTORY)
        self._open.append(top)
        try:
            self._missing(top)
            while self._open:
                directory = self._open[-1]
                if directory.names:
                    self._entry(directory, directory.names.pop())
                else:
                    self._open.pop().close()
        finally:
            while self._open:
                self._open.pop().close()

    def _entry(self, directory: _Open, name: str) -> None:
        status = os.stat(name, dir_fd=directory.tree, follow_symlinks=False)
        before = self._noted[directory.path].get(name)
        is_directory = stat.S_ISDIR(status.st_mode)
        if before is not None and before[0] == status.st_ino and is_directory and before[2]:
            inside = _Open(os.open(name, _DIRECTORY, dir_fd=directory.tree), name, f"{directory.path}{name}/")
            self._open.append(inside)
            if before[1] != status.st_ctime_ns:
                self._upper()
                self._missing(inside)
        elif before is None or before[:2] != (status.st_ino, status.st_ctime_ns):
            target = self._upper()
            os.rename(name, name, src_dir_fd=directory.tree, dst_dir_fd=target)
            _strip(target, name, status)
            if is_directory and before is not None:
                fd = os.open(name, _DIRECTORY, dir_fd=target)
                try:
                    os.setxattr(fd, OPAQUE_XATTR, b"y")
                finally:
                    os.close(fd)

    def _missing(self, directory: _Open) -> None:
        """Whiteouts for what the step has removed. In another tree of that name nothing is as it was noted."""
        there = set(directory.names)
        for name in self._noted[directory.path]:
            if name != "." and name not in there:
                os.mknod(name, stat.S_IFCHR, 0, dir_fd=self._upper())

    def _upper(self) -> int:
        """The open one's like in the layer, made with those above."""
        above = -1
        for directory in self._open:
            if directory.upper < 0:
                os.mkdir(directory.name, 0o700, dir_fd=above)
                directory.upper = os.open(directory.name, _DIRECTORY, dir_fd=above)
            above = directory.upper
        return above


def _strip(parent: int, name: str, status: os.stat_result) -> None:
    """Take reserved attributes from what a step has made, with all that is in it."""
    if stat.S_ISDIR(status.st_mode):
        for fd, _ in _directories(f"/proc/self/fd/{parent}/{name}"):
            _strip_one(fd)
            for inner in os.listdir(fd):
                found = os.stat(inner, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    _strip_one(f"/proc/self/fd/{fd}/{inner}")
    elif stat.S_ISREG(status.st_mode):
        _strip_one(f"/proc/self/fd/{parent}/{name}")


def _strip_one(target: int | str) -> None:
    for word in os.listxattr(target):
        if word.startswith(_RESERVED):
            os.removexattr(target, word)
