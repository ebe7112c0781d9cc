"""Files of which nobody else than root and the user chooses what is in them: who owns them and what leads to them, and who may write there.

In the session's user namespace the user's uid is 0, and root's files are nobody's, as are those of all who have no number there. A process
outside tells owners apart where there is one. Elsewhere what belongs to nobody counts as root's in the directories that are for all, where
only root can have put it, and above any file; what is the user's own has to be his.
"""

from __future__ import annotations

import os
import stat

from rootless import paths
from rootless.errors import InvalidInput
from rootless.linux.libc import AT_FDCWD
from rootless.linux.openat2 import RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from rootless.session import outside
from rootless.session.ids import idmap
from rootless.storage import named_paths

_NOBODY = 65534
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_WITHOUT_LINKS = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS


def open_directory(path: str, *, own: bool) -> int:
    """A descriptor of the directory, for listing; the caller's. InvalidInput where others than root and the user may choose what is there:
    where it is the user's `own`, others than he. OSError."""
    return _open(path, os.O_DIRECTORY, own=own)


def open_file(path: str, *, own: bool) -> int:
    """The same of a regular file, for reading."""
    return _open(path, os.O_NONBLOCK, own=own)  # a FIFO would keep us waiting


def _open(path: str, flags: int, *, own: bool) -> int:
    os.stat(path)
    exact, above = named_paths.way(path, "the path")
    for directory in above:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _refuse_others(fd, f"{directory}, which it is in,", directory, sticky=True)
        finally:
            os.close(fd)
    fd = openat2(AT_FDCWD, exact, os.O_RDONLY | flags, resolve=_WITHOUT_LINKS)
    try:
        if not flags & os.O_DIRECTORY and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InvalidInput("is no regular file")
        _refuse_others(fd, "it", exact, own=own)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _refuse_others(fd: int, it: str, path: str, *, own: bool = False, sticky: bool = False) -> None:
    """InvalidInput where others may choose what is in `path`, open as `fd`. `sticky`: in one like /tmp each may rename what is his."""
    owner, user = _owner(fd), paths.host_uid()
    whose = "another user" if owner is None else _account(owner)
    if own and owner != user:
        raise InvalidInput(f"{it} belongs to {whose}, not to you: a copy of your own counts")
    if owner not in (None, 0, user):
        raise InvalidInput(f"{it} belongs to {whose}, who is neither root nor you")
    mode = os.fstat(fd).st_mode
    if mode & _OTHERS and not (sticky and mode & stat.S_ISVTX):
        raise InvalidInput(f"{it} may be written by others than its owner: chmod go-w {path}")


def _owner(fd: int) -> int | None:
    """The owner's uid as the host knows it; None for root or a stranger who has no number here."""
    uid = outside.owner(fd)
    if uid != outside.UNKNOWN:
        return None if uid == _NOBODY and not paths.is_of_machine() else uid
    uid = os.fstat(fd).st_uid
    if uid == _NOBODY:
        return None
    return next((uid - part.inside + part.outside for part in idmap.current_map("uid") if 0 <= uid - part.inside < part.size), None)


def _account(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
