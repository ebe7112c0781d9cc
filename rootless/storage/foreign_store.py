"""A store's directory that is another account's, or that others may write to. Imported where there is one.

Who owns the directory puts others in the place of what is in it, whoever made that: configurations, and with them mounts and commands.
"""

from __future__ import annotations

import os
import pwd
import stat

from rootless import paths
from rootless.errors import NotSupported

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_UNMAPPED = 65534
_HINT = "name a directory of yours by ROOTLESS_ROOT (or --root); one that does not exist yet is made"


def look(root: str, status: os.stat_result) -> None:
    """Shut the directory, if it is the caller's; NotSupported where it cannot be his alone."""
    if status.st_uid == os.getuid():
        _shut(root)
    elif (status.st_mode & _OTHERS or not _is_trusted(status.st_uid)) and not _owns_what_it_makes(root, status):
        raise NotSupported(f"the store {root} belongs to {_account(status.st_uid)}, who could change what is in it", hint=_HINT)


def _is_trusted(owner: int) -> bool:
    """Root, which has no number in a user namespace: there no other account can be told from it."""
    return owner == 0 or (owner == _UNMAPPED and paths.user_namespace() not in (0, paths.INITIAL_USER_NAMESPACE))


def _shut(root: str) -> None:
    mode = stat.S_IMODE(os.stat(root).st_mode)
    try:
        os.chmod(root, mode & ~_OTHERS)
    except OSError:
        return  # a file system without modes, or a read-only one
    with os.scandir(root) as entries:
        for entry in entries:
            owner = entry.stat(follow_symlinks=False).st_uid
            if owner != os.getuid():
                os.chmod(root, mode)  # the next command looks again
                raise NotSupported(f"{entry.path} belongs to {_account(owner)}: others could write to this store until now", hint=_HINT)


def _owns_what_it_makes(root: str, status: os.stat_result) -> bool:
    """Whether what we make there has the same owner: a file server that has an owner of its own for all."""
    path = f"{root}/.owner-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        return os.fstat(fd).st_uid == status.st_uid
    finally:
        os.close(fd)
        os.unlink(path)


def _account(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
