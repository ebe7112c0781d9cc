"""What a start makes in a step's layer that the step did not: mount points and the directories above them.

Before a command runs, the upper directory holds nothing else. It is noted then, and taken out at the end where
the command has left it as it was: an empty /etc/resolv.conf or /run/secrets must not be part of an image.
"""

from __future__ import annotations

import os
import stat

from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.record import Record

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Overlayfs's note that a directory is the copy of one below; fuse-overlayfs has its own.
_ORIGIN = ("user.overlay.origin", "user.fuseoverlayfs.origin")
_OPAQUE = ("user.overlay.opaque", "user.fuseoverlayfs.opaque")


class EngineFile(Record):
    """One of them, by its path below the upper directory, as it was before the command ran."""

    path: str
    inode: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    copied: bool  # a directory of a layer below, copied up for what was made in it
    opaque: bool  # a new directory is, in fuse-overlayfs


def note(upper: str) -> list[EngineFile]:
    """All that is in `upper`, which nobody but we have written to yet; directories before what is in them."""
    found: list[EngineFile] = []
    top = os.open(upper, _DIRECTORY)
    try:
        _note(top, "", found)
    finally:
        os.close(top)
    return found


def _note(directory: int, above: str, found: list[EngineFile]) -> None:
    for name in sorted(os.listdir(directory)):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        path = above + name
        inner = os.open(name, _DIRECTORY, dir_fd=directory) if stat.S_ISDIR(status.st_mode) else -1
        try:
            words = os.listxattr(inner) if inner >= 0 else []
            copied, opaque = (any(word in kind for word in words) for kind in (_ORIGIN, _OPAQUE))
            found.append(
                EngineFile(
                    path, status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, copied, opaque
                )
            )
            if inner >= 0:
                _note(inner, path + "/", found)
        finally:
            if inner >= 0:
                os.close(inner)


def take_out(upper: str, noted: list[EngineFile]) -> None:
    """Remove from `upper`, in which a command has run, what was noted and has been left alone."""
    top = os.open(upper, _DIRECTORY)
    try:
        # Removing changes the times of what is above: look at all before.
        unused = [file for file in noted if _is_unused(top, file)]
        for file in reversed(unused):
            above, _, name = file.path.rpartition("/")
            parent = _parent(top, above)
            try:
                if stat.S_ISDIR(file.mode):
                    os.rmdir(name, dir_fd=parent)
                else:
                    os.unlink(name, dir_fd=parent)
            except OSError:
                continue  # there is something in it
            finally:
                os.close(parent)
    finally:
        os.close(top)


def _parent(top: int, path: str) -> int:
    """The directory above; by no link, for the command may have put one there."""
    return openat2(top, path or ".", _DIRECTORY, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)


def _is_unused(top: int, file: EngineFile) -> bool:
    above, _, name = file.path.rpartition("/")
    try:
        parent = _parent(top, above)
    except OSError:
        return False
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if (status.st_ino, status.st_mode, status.st_uid, status.st_gid) != file[1:5]:
            return False
        if stat.S_ISREG(status.st_mode):
            return status.st_size == 0 and status.st_nlink == 1
        if stat.S_ISCHR(status.st_mode):
            return status.st_rdev == 0  # what fuse-overlayfs puts into a directory that it makes
        if not stat.S_ISDIR(status.st_mode):
            return False
        inner = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            opaque = any(word in _OPAQUE for word in os.listxattr(inner))
        finally:
            os.close(inner)
        return opaque == file.opaque and (not file.copied or status.st_mtime_ns == file.mtime_ns)
    except OSError:
        return False
    finally:
        os.close(parent)
