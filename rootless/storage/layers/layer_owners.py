"""Whose a layer's files are that have no id here: owners.json beside its tree, and links.json of those that are links or pipes.

{path: [uid, gid]}; neither file is there where it would be empty.
"""

from __future__ import annotations

import os
import stat

from rootless import atomic
from rootless.runtime import owner_record
from rootless.storage import owner_file
from rootless.storage.owner_file import LinkOwners, Owners

_ALL = "/owners.json"
_LINKS = "/links.json"


def write(layer: str, owners: Owners) -> None:
    """Note the owners of files of the layer in the directory `layer`, which nobody else knows yet. Wants the session joined."""
    if owners:
        atomic.write_json(layer + _ALL, owners, durable=False)
        links = owner_file.unattributed(layer + "/fs", owners)
        if links:
            atomic.write_json(layer + _LINKS, links, durable=False)


def read(layer: str) -> dict[str, list[int]]:
    """Those of all its files."""
    return _read(layer + _ALL)


def read_links(layer: str) -> dict[str, list[int]]:
    """Those of its links and pipes."""
    return _read(layer + _LINKS)


def said_by(tree: str, links: LinkOwners) -> dict[str, tuple[int, int]]:
    """The owners that the files of the directory `tree`, and itself (""), have by their attributes, or by `links`. Wants the
    session joined."""
    found = {}
    for path, fd, name, status in owner_file.walk(tree):
        if (status.st_uid, status.st_gid) != (0, 0):
            continue
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            owner = owner_record.decode(attribute(fd, name), 0, 0)
        else:
            owner = links.owner(name, fd, status)
        if owner is not None and owner != (0, 0):
            found[path] = owner
    return found


def attribute(directory: int, name: str) -> str:
    """What the file `name` of the open directory says of its owner, "" where it says nothing."""
    try:
        value = os.getxattr(f"/proc/self/fd/{directory}/{name}", owner_record.NAME, follow_symlinks=False)
    except OSError:
        return ""
    return value.decode("ascii", "replace")


def _read(path: str) -> dict[str, list[int]]:
    try:
        return atomic.read_json(path)  # type: ignore[no-any-return]
    except (FileNotFoundError, ValueError):
        return {}
