"""Sources of bind mounts: made where `-v` makes them, as Docker does, and resolved once for each start.

Between this look and the mount, other accounts may replace what they can write to. So the links of a path are
followed here, and the mount takes the result only as long as it has none (Bind.exact). Whose links in /tmp are
believed is storage/named_paths.py's.
"""

from __future__ import annotations

import contextlib
import os

from rootless.engine.options.mount_config import Mount
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.storage import named_paths


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
        if path in ("/run/docker.sock", "/var/run/docker.sock"):
            raise InvalidInput(
                f"there is no {path} on this host",
                hint=f"to give a container your whole account: `rootless system service`, -v $XDG_RUNTIME_DIR/docker.sock:{path}",
            )
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
    return named_paths.follow(path, "bind source path")


def open_directory(path: str) -> int:
    """A descriptor of the directory `path`, by the same rules; the caller's."""
    return named_paths.open_directory(path, "bind source path")


def _failure(path: str, reason: str) -> RootlessError:
    return InvalidInput(
        f"error while creating mount source path '{path}': {reason}",
        hint="name a directory that exists, or one that you may make; NAME:/place is a volume",
    )
