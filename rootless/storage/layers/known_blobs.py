"""What is known of a layer in its packed forms: which blobs hold it, and which repositories have those.

    layers/<hex>/blobs.json    [{"digest", "size", "compression", "sources": ["registry/repository", ...]}]

A push reads it so that nothing is packed twice, and that a registry which has the blob is asked to mount it.
A cache and no more: whatever is lost here costs work, never an image.
"""

from __future__ import annotations

import fcntl
import os
from typing import NamedTuple

from rootless import atomic
from rootless.storage import shape
from rootless.storage.layers.layers import directory
from rootless.storage.store import Store

_MOST_SOURCES = 8
_MOST_BLOBS = 8
_FIELDS = {"digest": str, "size": int, "compression": str, "sources": [str]}


class KnownBlob(NamedTuple):
    """One packed form; `compression` is gzip, zstd or "", `sources` the repositories seen with it, latest first."""

    digest: str
    size: int
    compression: str
    sources: tuple[str, ...] = ()


def known(store: Store, diff_id: str) -> list[KnownBlob]:
    """The blobs that hold the layer, latest first. Whether one is stored, `blobs.has` tells."""
    try:
        entries = atomic.read_json(directory(store, diff_id) + "/blobs.json")
    except (OSError, ValueError):
        return []
    if not shape.fits(entries, [_FIELDS]):
        return []
    return [
        KnownBlob(entry["digest"], entry["size"], entry["compression"], tuple(entry["sources"]))
        for entry in entries
    ]


def remember(
    store: Store, diff_id: str, digest: str, size: int, compression: str, *, source: str = ""
) -> None:
    """Note that the blob holds the layer and, where given, that the repository `source` has it.

    Nothing where the layer is not there any more. Not durable: it is a cache.
    """
    where = directory(store, diff_id)
    try:
        guard = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        before = known(store, diff_id)
        old = next((blob for blob in before if blob.digest == digest), None)
        sources = [*([source] if source else []), *(old.sources if old else ())]
        blob = KnownBlob(digest, size, compression, tuple(dict.fromkeys(sources))[:_MOST_SOURCES])
        if before and before[0] == blob:
            return
        after = [blob, *(other for other in before if other.digest != digest)][:_MOST_BLOBS]
        value = [{**blob._asdict(), "sources": list(blob.sources)} for blob in after]
        atomic.write_json(where + "/blobs.json", value, durable=False)
    except FileNotFoundError:
        return
    finally:
        os.close(guard)
