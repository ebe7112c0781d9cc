"""Indexes: one name for images of several platforms, as they are pushed and built together.

    images/indexes/<hex of the index's digest>.json
        {"id", "descriptor", "default": id of the image for this machine or "",
         "entries": [{"mediaType", "digest", "size", "platform", "annotations", "image", "source"}]}
    images/names/<quoted name>      symlink -> ../indexes/<hex>.json; `sha256:<hex>`, its id, where it has no other name

A record is never changed: a list that gets another entry is another index, and its name moves by rename(2).
`image` is the id of an image of the store, or "" for one that is only in the registry's repository `source`
(its manifest is a blob of ours all the same). Records that no name leads to are nothing, and swept.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from rootless import atomic
from rootless.errors import NotFound
from rootless.storage import image_names, shape
from rootless.storage.quoted_names import quoted
from rootless.storage.store import Store, make_directory

_HEX = frozenset("0123456789abcdef")
_ENTRY = {"mediaType": str, "digest": str, "size": int, "image": str, "source": str}
_RECORD: dict[str, Any] = {"id": str, "descriptor": {}, "default": str, "entries": [_ENTRY]}


class StoredIndex(NamedTuple):
    """An index as recorded; `descriptor` is its own, entries as in the module's description."""

    id: str
    descriptor: dict[str, Any]
    default: str
    entries: list[dict[str, Any]]


def add(store: Store, name: str | None, descriptor: dict[str, Any], entries: list[dict[str, Any]], default: str) -> StoredIndex:
    """Record the index that `descriptor` describes and let `name` (canonical) mean it. Durable. Without a name it is
    kept until it, or the image that stands for it, is removed.

    Its blob and its images are stored; the caller holds the store's lease since before it looked for them.
    """
    record = StoredIndex(str(descriptor["digest"]), descriptor, default, entries)
    path = _path(store, record.id[7:])
    make_directory(os.path.dirname(path))
    atomic.write_json(path, record._asdict())
    if name is not None or record.id[7:] not in image_names.every(store).indexes.values():
        tag(store, record.id, name or record.id)
    return record


def find(store: Store, name: str) -> StoredIndex | None:
    """The index that `name` (canonical) means; None where it means an image, or nothing."""
    return _load(f"{store.images}/names/{quoted(name)}")


def find_by_id(store: Store, text: str) -> StoredIndex | None:
    """The index without a name whose id begins with `text`; None where there is none, or more than one."""
    prefix = text.removeprefix("sha256:")
    if not prefix or not _HEX.issuperset(prefix):
        return None
    found = [name for name in image_names.unnamed(store) if name[7:].startswith(prefix)]
    return find(store, found[0]) if len(found) == 1 else None


def tag(store: Store, index_id: str, name: str) -> None:
    """Let `name` (canonical) mean the index, whatever it meant before. NotFound."""
    hex_id = index_id.removeprefix("sha256:")
    if not os.path.exists(_path(store, hex_id)):
        raise NotFound(f"No such manifest: {index_id}")
    image_names.link(store, name, f"{image_names.INDEXES}{hex_id}.json")
    if name != index_id:
        try:
            image_names.unlink(store, index_id)  # it has a name now
        except NotFound:
            pass


def named(store: Store) -> dict[str, StoredIndex]:
    """All indexes that have a name, by it."""
    found = {name: _load(_path(store, hex_id)) for name, hex_id in image_names.every(store).indexes.items()}
    return {name: record for name, record in found.items() if record is not None}


def names_of(store: Store, index_id: str) -> list[str]:
    """The names (canonical) that mean the index of that id."""
    return [name for name, hex_id in image_names.every(store).indexes.items() if "sha256:" + hex_id == index_id and name != index_id]


def sweep(store: Store) -> None:
    """Remove the records that no name leads to any more. For gc, which nobody adds one beside."""
    used = set(image_names.every(store).indexes.values())
    try:
        entries = os.listdir(f"{store.images}/{image_names.INDEXES}")
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.removesuffix(".json") not in used:
            os.unlink(f"{store.images}/{image_names.INDEXES}{entry}")


def _path(store: Store, hex_id: str) -> str:
    return f"{store.images}/{image_names.INDEXES}{hex_id}.json"


def _load(path: str) -> StoredIndex | None:
    try:
        record = atomic.read_json(path)
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not shape.fits(record, _RECORD):
        return None
    return StoredIndex(record["id"], record["descriptor"], record["default"], record["entries"])
