"""What the build cache keeps, and how much that is."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless import atomic
from rootless.build.cache import fetched, records
from rootless.build.cache import mounts as cache_mounts
from rootless.build.cache.records import Used
from rootless.storage import images
from rootless.storage.layers import layers, step_names
from rootless.storage.maintenance.usage import DiskUsage, tree_bytes
from rootless.storage.store import Store


class Entry(NamedTuple):
    """Something that the build cache keeps. `id` is a key or a mount's directory; `shared`: an image has it too."""

    id: str
    kind: str  # regular, exec.cachemount, source.*: BuildKit's words
    name: str
    size: int
    used: float
    created: str
    shared: bool
    step: str = ""


def entries(store: Store, *, sizes: bool = True) -> list[Entry]:
    """All of it, what was used longest ago first. With `sizes`, which may take a walk, wants the session joined."""
    of_images = {diff_id for image in images.list_images(store) for diff_id in image.diff_ids}
    found = [_of_record(store, used, of_images, sizes=sizes) for used in records.every(store)]
    found += [
        Entry(one.id, one.kind, one.kind, one.size, one.used, "", shared=False)
        for one in fetched.every(store, sizes=sizes)
    ]
    return sorted(found + _mounts(store, sizes=sizes), key=lambda entry: entry.used)


def _of_record(store: Store, used: Used, of_images: set[str], *, sizes: bool) -> Entry:
    record = used.record
    diff_id = step_names.diff_id(store, record.step) if record.step else ""
    size = 0
    if sizes and diff_id:
        size = layers.size(store, diff_id)
    elif sizes and record.step:
        size = tree_bytes(layers.path(store, record.step))
    return Entry(
        record.key, "regular", record.name, size, used.used, record.created, diff_id in of_images, record.step
    )


def _mounts(store: Store, *, sizes: bool) -> list[Entry]:
    found = []
    try:
        names = os.listdir(cache_mounts.top(store))
    except FileNotFoundError:
        return []
    for name in names:
        where = f"{cache_mounts.top(store)}/{name}"
        try:
            used = os.stat(where + "/mount.json").st_mtime
            called = str(atomic.read_json(where + "/mount.json").get("id", ""))
        except (OSError, ValueError, AttributeError):
            continue
        size = tree_bytes(where + "/data") if sizes else 0
        found.append(Entry(name, "exec.cachemount", f"mount / from exec {called}", size, used, "", shared=False))
    return found


def total(store: Store) -> DiskUsage:
    """The line of `system df`: what images have, too, counts there. Wants the session joined."""
    found = entries(store)
    own = sum(one.size for one in found if not one.shared)
    return DiskUsage(len(found), sum(1 for one in found if one.shared), sum(one.size for one in found), own)
