"""A tree that a build copies from, whatever it is: a context, what came from elsewhere, an image, a stage."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import NamedTuple

from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.ignore import NOTHING, PathPatterns
from rootless.errors import RootlessError
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.storage.owner_file import LinkOwners

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: it may have become a FIFO since we looked.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SourceTree(NamedTuple):
    """An open tree. What opened it owns the descriptor and the hashes.

    `root_fd` is a directory that can be listed; nothing is ever opened outside of it. `patterns` are what the
    ignore file called `ignored_by` leaves out. `keeps_owners`: of an image, whose files are somebody's; those
    of a context are root's when they are copied. `owners`: {path: (uid, gid)} of those whose owners have no id here.
    `emulated`: what is recorded in the files is believed (recorded.Reader): emulated ids wrote it, or unpacking.
    `links`: owners of links and pipes that have no id here.
    """

    root_fd: int
    hashes: FileHashes
    name: str
    patterns: PathPatterns = NOTHING
    ignored_by: str = ""
    keeps_owners: bool = False
    owners: Mapping[str, tuple[int, int]] = {}
    emulated: bool = False
    links: LinkOwners | None = None

    def open(self, path: str, flags: int) -> int:
        """Open a path inside the tree, links followed inside it; the caller's."""
        return openat2(
            self.root_fd, path or ".", flags | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )

    def real_path(self, fd: int) -> str:
        """What an open file of the tree is called in it, without links; "" for the root."""
        top, path = (os.readlink(f"/proc/self/fd/{each}") for each in (self.root_fd, fd))
        return path.removeprefix(top).strip("/")

    def unreadable(self, path: str, error: OSError) -> RootlessError:
        """The error for a file that the kernel does not let us read."""
        hint = None
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = f"make it readable (chmod u+r), or leave it out: a line {path!r} in .dockerignore"
        return RootlessError(f"cannot read {path!r} of {self.name}: {error.strerror}", hint=hint)
