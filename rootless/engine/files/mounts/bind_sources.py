"""The host's directories that `-v` makes where they are missing, as Docker does. Imported where one is."""

from __future__ import annotations

import os

from rootless.engine.options.mount_config import Mount
from rootless.errors import InvalidInput, NotFound, RootlessError


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
    also where it has vanished since. InvalidInput where that is not possible."""
    path = mount["source"]
    try:
        os.makedirs(path, 0o755, exist_ok=True)
    except FileExistsError:
        raise _failure(path, "it is a symbolic link that leads nowhere") from None
    except OSError as error:
        raise _failure(path, str(error.strerror).lower()) from None


def _failure(path: str, reason: str) -> RootlessError:
    return InvalidInput(
        f"error while creating mount source path '{path}': {reason}",
        hint="name a directory that exists, or one that you may make; NAME:/place is a volume",
    )
