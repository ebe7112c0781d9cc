"""Directories of a store's, made by whoever writes in them first. Hot path."""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.record import Record

VARIABLE = "ROOTLESS_LOCAL"
"""Of the environment: the local place, in which a store has what its ROOT is not to hold."""


class Places(Record):
    """`local` is `root` where the store is in one piece. `why` says why it is where it is; `refused` why not elsewhere."""

    root: str
    local: str
    why: str
    refused: dict[str, str]


def nearest(path: str) -> str:
    """`path`, or the first directory above it that is there."""
    while path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def ask_again(above: str, directory: str) -> bool:
    """Have a network file system ask its server for what is in `directory`, which is below `above`; whether it is there.

    What another machine made or renamed is not seen for up to a minute otherwise: names are cached, those that were missing,
    too. To open a directory is to ask for it anew (close-to-open): one request, or one for each above it if it seems missing.
    """
    from rootless.storage import file_servers

    file_servers.wait_for(above)
    if _opens(directory):
        return True
    return all(_opens(directory[:end]) for end in range(len(above), len(directory) + 1) if directory[end : end + 1] in ("/", ""))


def asked_again(above: str, path: str) -> str:
    """`path`, its directory having been asked for; nothing is asked where `above` is "", a store of one machine's."""
    if above:
        ask_again(above, os.path.dirname(path))
    return path


def _opens(directory: str) -> bool:
    try:
        os.close(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def is_private(path: str) -> bool:
    """Whether that is a directory of the caller's that nobody else may enter: others can write to /tmp, too."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_mode & 0o170077 == 0o040000 and status.st_uid == os.getuid()


def demand_own(root: str) -> None:
    """NotSupported where a store is another account's, or others have put something into it: what it says would be run with all that is the
    caller's. What others may write to is shut, once, as a store is made."""
    try:
        status = os.stat(root)
    except OSError:
        return  # the first who needs it says why
    if status.st_uid == os.getuid() and not status.st_mode & 0o022:
        return
    from rootless.storage import foreign_store

    foreign_store.look(root, status)


def make_directory(path: str) -> None:
    """Create `path` and its missing parents with mode 0700; nothing if it is there.

    Raises NotSupported with a hint where the file system or its owner refuse.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            make_directory(parent)
        try:  # the parent is there now, made by us or meanwhile by another process
            os.mkdir(path, 0o700)
        except FileExistsError:
            return
        except OSError as error:  # /proc and the like: ENOENT for what they do not let anybody make
            raise _cannot_create(path, error) from error
    except OSError as error:
        raise _cannot_create(path, error) from error
    # Below a group's directory (set-group-id) all would get a group that containers have no number for.
    if os.stat(path).st_mode & 0o2000:
        os.chown(path, -1, os.getegid())
        os.chmod(path, 0o700)


def _cannot_create(path: str, error: OSError) -> NotSupported:
    from rootless.storage import file_servers

    served = file_servers.refusing(error, path)
    return NotSupported(
        f"cannot create {path}: {error.strerror}",
        hint=served if served else "point ROOTLESS_ROOT (or --root) at a directory of yours on a local file system with space",
    )
