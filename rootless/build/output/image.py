"""-o type=image, the default: an image of the store, with names.

Its new layers have no blobs: the manifest names their tar streams, uncompressed, whose digests are the diff ids
and whose bytes come out the same whenever they are wanted (layer.json's "tar_size").
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rootless.image import manifest
from rootless.image.manifest import Descriptor, Manifest
from rootless.storage import blobs, images
from rootless.storage.images import Image
from rootless.storage.layers import known_blobs
from rootless.storage.store import Store


class ImageLayer(NamedTuple):
    """A layer of the image to be: its diff id, and the blob that the manifest names for it."""

    diff_id: str
    descriptor: Descriptor


def built(store: Store, layer: dict[str, Any]) -> ImageLayer:
    """Of a step that has become a layer (execute/diff_id.py). One that came packed is named as it came."""
    diff_id = str(layer["diff_id"])
    if not layer["tar_size"]:
        for known in known_blobs.known(store, diff_id):
            if blobs.has(store, known.digest, known.size):
                return ImageLayer(diff_id, Descriptor(manifest.layer_type(known.compression), known.digest, known.size))
    return ImageLayer(diff_id, Descriptor(manifest.OCI_LAYER, diff_id, int(layer["tar_size"])))


def of_base(store: Store, base: Image) -> list[ImageLayer]:
    """The layers of the image that the build began with, as its own manifest names them."""
    data = blobs.read(store, str(base.manifest["digest"]))
    parsed = manifest.parse(data, str(base.manifest.get("mediaType", "")))
    assert isinstance(parsed, Manifest), "an image's record has a manifest of its own"
    return [ImageLayer(*pair) for pair in zip(base.diff_ids, parsed.layers, strict=True)]


def record(store: Store, layers: list[ImageLayer], config: dict[str, Any], annotations: dict[str, str]) -> Image:
    """Record the image of `layers` (bottom first), which are in the store, with `config`, whose rootfs is set here.
    `annotations` stand in its manifest.

    The caller holds the store's lease since before it looked for the first of them.
    """
    config = {**config, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}}
    config_data = json.dumps(config, separators=(",", ":")).encode()
    config_digest = blobs.add_bytes(store, config_data)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": Descriptor(manifest.OCI_CONFIG, config_digest, len(config_data)).to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
    }
    if annotations:
        document["annotations"] = annotations
    data = json.dumps(document, separators=(",", ":")).encode()
    digest = blobs.add_bytes(store, data)
    described = Descriptor(manifest.OCI_MANIFEST, digest, len(data)).to_json()
    return images.add(store, None, described, document, config)
