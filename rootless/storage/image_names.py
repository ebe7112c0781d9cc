"""Names of images as links: every one of them, and how one is made to mean something else."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from rootless import atomic
from rootless.errors import NotFound
from rootless.storage.quoted_names import quoted, unquoted
from rootless.storage.store import Store, make_directory

INDEXES = "indexes/"
UNNAMED = "sha256:"
"""Begins the name of an index that nobody has named: it is its id, which is no image's canonical name."""


class AllNames(NamedTuple):
    """Per image, by the hex digits of its id: the names that mean it, and those of indexes that have it.

    The name of an index means its image for this machine. `indexes`: the index of each such name, as hex digits.
    `unnamed`: the id of an index without a name, at the one of its images that stands for it where images are listed.
    """

    names: dict[str, list[str]]
    lists: dict[str, list[str]]
    indexes: dict[str, str]
    unnamed: dict[str, str]


def every(store: Store) -> AllNames:
    """All names there are."""
    store.wait()
    found = AllNames({}, {}, {}, {})
    base = f"{store.images}/names"
    above = [""]
    while above:
        directory = above.pop()
        try:
            entries = os.listdir(f"{base}/{directory}")
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry[:1] == ".":
                continue
            path = directory + entry
            if entry[-1:] == "+":
                above.append(path + "/")
                continue
            try:
                target = os.readlink(f"{base}/{path}")
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINVAL):  # removed meanwhile; no link, and so none of ours
                    continue
                raise
            _add(store, found, unquoted(path), target)
    return found


def _add(store: Store, found: AllNames, name: str, target: str) -> None:
    hex_id = os.path.basename(target)[:-5]
    if f"/{INDEXES}" not in target:
        found.names.setdefault(hex_id, []).append(name)
        return
    found.indexes[name] = hex_id
    try:
        record = atomic.read_json(f"{store.images}/{INDEXES}{hex_id}.json")
        members = [str(entry.get("image", "")) for entry in record["entries"]]
        default = str(record["default"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    members = [member for member in members if member]
    if name.startswith(UNNAMED):
        shown = default or (members[0] if members else "")
        found.unnamed[shown[7:]] = name
        members = [member for member in members if member != shown]
    elif default:
        found.names.setdefault(default[7:], []).append(name)
    for member in members:
        found.lists.setdefault(member[7:], []).append(name)


def link(store: Store, name: str, target: str) -> None:
    """Let `name` (canonical) mean `target`, a path below images/, whatever it meant before; atomic."""
    path = f"{store.images}/names/{quoted(name)}"
    up = "../" * (1 + path.count("+/"))
    make_directory(os.path.dirname(path))
    aside = f"{os.path.dirname(path)}/.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    os.symlink(up + target, aside)
    try:
        os.rename(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def unlink(store: Store, name: str) -> None:
    """Remove the name. NotFound."""
    path = f"{store.images}/names/{quoted(name)}"
    try:
        os.unlink(path)
    except FileNotFoundError:
        raise NotFound(f"No such image: {name}") from None
    for _ in range(path.count("+/")):
        path = os.path.dirname(path)
        try:
            os.rmdir(path)
        except OSError:
            return


def unnamed(store: Store) -> list[str]:
    """The ids of the indexes that nobody has named."""
    try:
        entries = os.listdir(f"{store.images}/names")
    except FileNotFoundError:
        return []
    return [name for entry in entries if entry[:1] != "." and (name := unquoted(entry)).startswith(UNNAMED)]
