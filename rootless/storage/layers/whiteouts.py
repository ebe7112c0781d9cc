"""Whiteouts of a layer (OCI image layer specification) made into what overlayfs wants of its lower layers."""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import Corrupt
from rootless.storage.layers.directory_cache import OPAQUE_XATTR, WHITEOUT, Parents
from rootless.storage.remove_tree import remove_tree_at

_OPAQUE = ".wh..wh..opq"
_AUFS_LINKS = ".wh..wh.plnk"
# What the drivers of overlayfs, fuse-overlayfs and real root write.
_OPAQUE_XATTRS = (OPAQUE_XATTR, "user.fuseoverlayfs.opaque", "trusted.overlay.opaque")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Whiteouts:
    """Those of one extraction; `opaque_root`: whether one hides all layers below. `aufs_links`: whether the files
    are there that hard links in a layer from aufs lead to; they go when the layer is whole (`remove_aufs_links`)."""

    def __init__(self, parents: Parents) -> None:
        self._parents = parents
        self.opaque_root = False
        self.aufs_links = False

    def takes(self, directory: str, name: str) -> bool:
        """Whether the entry `name` in `directory`, one of which has WHITEOUT in it, is no file of the layer's: a
        whiteout, which is obeyed, or aufs's bookkeeping, which is left out with all that is below it."""
        if name.startswith(WHITEOUT):
            self._apply(directory, name)
            return True
        if directory == _AUFS_LINKS:
            if not self.aufs_links:
                os.mkdir(_AUFS_LINKS, 0o700, dir_fd=self._parents.open("")[0])
                self.aufs_links = True
            return False
        return any(part.startswith(WHITEOUT * 2) for part in directory.split("/"))

    def remove_aufs_links(self, root_fd: int, owners: dict[str, tuple[int, int]]) -> None:
        """What aufs keeps of files with several names is one more name of each, which no layer shows."""
        if not self.aufs_links:
            return
        if failures := remove_tree_at(root_fd, _AUFS_LINKS):
            raise OSError(errno.ENOTEMPTY, failures[0])
        for path in [path for path in owners if path.startswith(_AUFS_LINKS + "/")]:
            del owners[path]

    def _apply(self, directory: str, name: str) -> None:
        if name == _OPAQUE:
            self.set_opaque(directory)
            return
        hidden = name[4:]
        if hidden[:4] == WHITEOUT:
            return
        if hidden in ("", ".", ".."):
            raise Corrupt(f"the layer has a damaged whiteout: {name!r}")
        parent, _ = self._parents.open(directory)
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            # In one layer what is there wins, and hides what was below (OCI layer, Whiteouts).
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                self.set_opaque(f"{directory}/{hidden}" if directory else hidden)
        except PermissionError:
            # Before Linux 5.8: fuse-overlayfs and our copies read the tar's own form as well.
            os.close(os.open(name, _CREATE, 0o600, dir_fd=parent))

    def set_opaque(self, directory: str) -> None:
        """Nothing of the layers below shows in `directory`."""
        if not directory:
            self.opaque_root = True
        fd = self._open_directory(directory)
        try:
            os.setxattr(fd, OPAQUE_XATTR, b"y")
        finally:
            os.close(fd)

    def _open_directory(self, directory: str) -> int:
        """A real descriptor (not O_PATH) of `directory`; the caller's."""
        parent, _ = self._parents.open(directory)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)


def is_opaque(fd: int) -> bool:
    """Whether the directory hides what lower layers have in it, in any of the known spellings."""
    for name in _OPAQUE_XATTRS:
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError:
            continue
    try:
        os.stat(_OPAQUE, dir_fd=fd, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False
