"""Blobs that are seen to hold a layer, as descriptors: noted by pull and push, used by push.

Apart from layer_blob.py, which makes them: a push that has nothing to pack imports no compressor.
"""

from __future__ import annotations

from rootless.image import manifest
from rootless.image.manifest import Descriptor
from rootless.storage.layers import known_blobs
from rootless.storage.store import Store


def remember(store: Store, diff_id: str, blob: Descriptor, *, source: str = "") -> None:
    """Note that `blob` holds the layer and, where given, that the repository `source` has it."""
    form = manifest.form_of(blob.media_type)
    if form:
        known_blobs.remember(store, diff_id, blob.digest, blob.size, form, source=source)
