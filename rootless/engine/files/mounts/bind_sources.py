"""Sources of bind mounts: made where `-v` makes them, as Docker does, and resolved once for each start.

Between this look and the mount, other accounts may replace what they can write to. So the links of a path are
followed here, and the mount takes the result only as long as it has none (Bind.exact). What a link in /tmp
leads to is believed only where the link is the caller's, whatever fs.protected_symlinks says of it: a job that
mounts /tmp/work, which is made where it is missing, would else mount what anybody names, with the caller's rights.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from rootless.engine.options.mount_config import Mount
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.linux.openat2 import open_without_links

_MOST_LINKS = 40
_SHARED = stat.S_ISVTX | stat.S_IWOTH
_UNMAPPED = 65534


def check(mount: Mount) -> None:
    """Raise NotFound where the missing source of a bind mount is not to be made, and InvalidInput where it
    could not be: at create, so that nothing is left of what cannot start. Makes nothing."""
    path = mount["source"]
    if not mount.get("create_source"):
        raise NotFound(
            f'invalid mount config for type "bind": bind source path does not exist: {path}',
            hint=f"make it first: mkdir -p {path}",
        )
    if os.path.islink(path):
        raise _failure(path, "it is a symbolic link that leads nowhere")
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise _failure(path, f"{parent} is not a directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _failure(path, f"{parent} is not writable for you")


def make(mount: Mount) -> None:
    """Make the missing source, with its parents, for the caller, who has joined the session: at start,
    also where it has vanished since. InvalidInput where that is not possible.

    From directory to directory by descriptor: a link that another account puts into a resolved path leads nowhere.
    """
    path = mount["source"]
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if mount.get("exact") else 0)
    here = os.open("/", flags)
    try:
        for name in path.split("/"):
            if not name:
                continue
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=here)
            below = os.open(name, flags, dir_fd=here)
            os.close(here)
            here = below
    except NotADirectoryError:
        raise _failure(path, "a part of it is no directory, or a symbolic link that was put there meanwhile") from None
    except OSError as error:
        raise _failure(path, str(error.strerror).lower()) from None
    finally:
        os.close(here)


def resolve(mount: Mount) -> Mount:
    """The bind mount for this start, its source without links. The caller has joined the session.

    InvalidInput for a link of another account in a directory like /tmp. A path through /proc stays as it is.
    """
    source = follow(mount["source"])
    return mount if source is None else {**mount, "source": source, "exact": True}


def follow(path: str) -> str | None:
    """`path` without links, as `resolve` has it; None where it leads through /proc."""
    try:
        os.close(open_without_links(path))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT):
            return _without_links(path)
    return path  # what cannot be reached is the mount's to say


def open_directory(path: str) -> int:
    """A descriptor of the directory `path`, by the same rules; the caller's."""
    exact = follow(path)
    if exact is None:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    found = open_without_links(exact)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=found)
    finally:
        os.close(found)


def _without_links(path: str) -> str | None:
    """`path` with its links followed; None where it leads through /proc, whose links are no paths."""
    found, left, links = "/", path.split("/"), 0
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            found = os.path.dirname(found)
            continue
        below = os.path.join(found, name)
        if below == "/proc":
            return None
        target = _link(found, below)
        if target is None:
            found = below
            continue
        links += 1
        if links > _MOST_LINKS:
            raise InvalidInput(f"bind source path {path}: too many levels of symbolic links")
        found = "/" if target.startswith("/") else found
        left = [*target.split("/"), *left]
    return found


def _link(directory: str, path: str) -> str | None:
    """Where the link at `path` leads; None where it is none, or not there."""
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISLNK(status.st_mode):
            return None
        around = os.stat(directory)
        # Other accounts, root too, have no number in the session, so none of their links can be told from another's.
        trusted = status.st_uid in {os.geteuid(), around.st_uid} - {_UNMAPPED}
        if around.st_mode & _SHARED == _SHARED and not trusted:
            raise InvalidInput(
                f"bind source path {path} is a symbolic link of another user, in a directory that all may write to",
                hint="name the directory itself, if you mean what the link leads to",
            )
        return os.readlink("", dir_fd=fd)
    finally:
        os.close(fd)


def _failure(path: str, reason: str) -> RootlessError:
    return InvalidInput(
        f"error while creating mount source path '{path}': {reason}",
        hint="name a directory that exists, or one that you may make; NAME:/place is a volume",
    )
