"""The directories an extraction is busy in: found safely once, kept open.

Each name is resolved inside the root by openat2(RESOLVE_IN_ROOT); the descriptor then stands for
it until something replaces a component. Nobody but the extraction changes the tree meanwhile.
"""

from __future__ import annotations

import os
import stat

from rootless.errors import Corrupt
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

WHITEOUT = ".wh."
OPAQUE_XATTR = "user.overlay.opaque"
PATH = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_OPEN = 128


class Parents:
    """Open directories of one extraction by name: (O_PATH descriptor, whether set-group-ID).

    A descriptor stays good until two more directories are opened, or something is forgotten.
    """

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd
        self.known: dict[str, tuple[int, bool]] = {}
        self.made = 0  # directories no entry asked for by itself

    def open(self, directory: str, *, create: bool = True) -> tuple[int, bool]:
        """The directory `directory` inside the root, made with its parents where missing (0755).

        FileNotFoundError or NotADirectoryError without `create`; Corrupt where a directory can
        not be what the archive wants there.
        """
        known = self.known.get(directory)
        if known is not None:
            return known
        if not directory:
            return self._root, bool(os.fstat(self._root).st_mode & stat.S_ISGID)
        missing = []
        here = directory
        while here:
            try:
                found = self._resolve(here)
                break
            except (FileNotFoundError, NotADirectoryError):
                if not create:
                    raise
                missing.append(here)
                here = here.rpartition("/")[0]
        else:
            found = self.open("")
        for path in reversed(missing):
            fd = _make(found[0], path)
            self.made += 1
            found = self.remember(path, fd, bool(os.fstat(fd).st_mode & stat.S_ISGID))
        return found

    def _resolve(self, directory: str) -> tuple[int, bool]:
        known = self.known.get(directory)
        if known is not None:
            return known
        fd = openat2(self._root, directory, PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        return self.remember(directory, fd, bool(os.fstat(fd).st_mode & stat.S_ISGID))

    def remember(self, directory: str, fd: int, setgid: bool) -> tuple[int, bool]:
        """Take `fd` over as `directory`; the oldest one goes when there are many."""
        if len(self.known) >= _MAX_OPEN:
            os.close(self.known.pop(next(iter(self.known)))[0])
        self.known[directory] = (fd, setgid)
        return fd, setgid

    def forget(self, directory: str) -> None:
        """Look `directory` up anew next time."""
        known = self.known.pop(directory, None)
        if known is not None:
            os.close(known[0])

    def forget_all_but(self, kept: int) -> None:
        """Something was replaced: no name can be relied on but the one being worked in."""
        for directory, (fd, _) in list(self.known.items()):
            if fd != kept:
                del self.known[directory]
                os.close(fd)

    def close(self) -> None:
        """Close all; idempotent."""
        self.forget_all_but(-1)


def _make(parent: int, path: str) -> int:
    """Make the last component of `path` in the directory `parent`, in place of a whiteout if need be."""
    name = path.rpartition("/")[2]
    if name.startswith(WHITEOUT):
        raise Corrupt(f"the layer has a directory with a whiteout's name: {path[:200]!r}")
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        return os.open(name, PATH | os.O_NOFOLLOW, dir_fd=parent)
    except FileExistsError:
        pass
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0):
        # A file, or a link that leads nowhere: following it would make what it points to.
        raise Corrupt(f"the layer has entries below what is no directory: {path[:200]!r}")
    os.unlink(name, dir_fd=parent)
    os.mkdir(name, 0o755, dir_fd=parent)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    os.setxattr(fd, OPAQUE_XATTR, b"y")
    return fd
