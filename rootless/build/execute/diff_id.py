"""A step becomes a layer: its diff id is the digest of its tar stream, which is written nowhere.

Done in a worker, beside the steps that follow, and only for layers of images that are recorded.
"""

from __future__ import annotations

import hashlib
from typing import Any

from rootless.storage.layers import layers, steps
from rootless.storage.layers.write_tar import true_owners, write_layer
from rootless.storage.store import Store


class _Digest:
    """A sink that hashes and counts."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return len(data)


def give(store: Store, step: str) -> dict[str, Any]:
    """Make the step the layer that it is: {"diff_id", "tar_size", "size"}. One that is a layer already stays it.

    The caller holds the store's lease and has joined the session.
    """
    known = steps.diff_id(store, step)
    if not known:
        sink = _Digest()
        owners = true_owners(store, step)
        written = write_layer(layers.path(store, step), sink, owners=owners)
        known = "sha256:" + sink.hash.hexdigest()
        record = {
            "diff_id": known,
            "size": written.size,
            "entries": written.entries,
            "notes": {},
            "opaque_root": False,
            # The tree as a tar has these bytes: with it, its blob can be written whenever it is wanted.
            "tar_size": sink.size,
        }
        steps.become_layer(store, step, known, record, owners)
    return layer_of(store, known)


def layer_of(store: Store, diff_id: str) -> dict[str, Any]:
    """The same for a layer of the store; "tar_size" is 0 where its tar is not known to come out the same."""
    record = layers.info(store, diff_id)
    return {"diff_id": diff_id, "tar_size": int(record.get("tar_size", 0)), "size": int(record.get("size", 0))}
