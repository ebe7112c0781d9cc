"""Files with several names in what is copied are one file with as many names in the copy."""

from __future__ import annotations

import os

from rootless.engine.files.entry import FileEntry, identity
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2


class HardLinks:
    """Those of one copy, of `source` to the name `target`. Remembers names, not descriptors: there may be millions."""

    def __init__(self, source: FileEntry, target: FileEntry) -> None:
        self._source = source
        self._target = target
        self._copies: dict[tuple[int, int], tuple[str, tuple[int, int]]] = {}

    def remember(self, status: os.stat_result, path: str, copy: os.stat_result) -> None:
        """The file of `status`, at `path` (which begins with the source's name), has been copied to `copy`."""
        below = path.removeprefix(self._source.name) if self._source.name != "." else "/" + path
        self._copies[identity(status)] = self._target.name + below, identity(copy)

    def link(self, status: os.stat_result, new: FileEntry) -> bool:
        """Make `new` another name of the copy of that file. False where there is none, or it cannot be linked.

        Who writes to the target may have put something else at the first name since: it is looked at again
        once it is linked, and a wrong one is taken away.
        """
        found = self._copies.get(identity(status))
        if found is None:
            return False
        path, copied = found
        directory, _, name = path.rpartition("/")
        try:
            parent = openat2(
                self._target.directory,
                directory or ".",
                os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC,
                resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
            )
        except OSError:
            return False
        try:
            os.link(name, new.name, src_dir_fd=parent, dst_dir_fd=new.directory, follow_symlinks=False)
        except OSError:
            return False  # too many links, another mount, or it is gone: a copy is as good
        finally:
            os.close(parent)
        made = new.stat()
        if made is not None and identity(made) == copied:
            return True
        os.unlink(new.name, dir_fd=new.directory)
        return False
