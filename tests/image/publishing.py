"""What tests of lists share: images that somebody else has pushed, for this machine and for another."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.writable_registry import WritableRegistry, digest_of
from tests.image.strange_registry import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, tar_of

HOST, OTHER = "amd64", "s390x"


@pytest.fixture(name="writable")
def empty_registry() -> Iterator[WritableRegistry]:
    with WritableRegistry() as server:
        yield server


def publish(server: WritableRegistry, repository: str, architecture: str, *, tag: str = "latest", layer: bytes = b"") -> str:
    """An image in the registry, as somebody else has pushed it; the digest of its manifest."""
    layer = layer or tar_of({"arch": architecture.encode()})
    packed = gzip.compress(layer, 1, mtime=0)
    config = json.dumps(
        {"architecture": architecture, "os": "linux", "config": {"Cmd": ["sh"]},
         "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
    ).encode()  # fmt: skip
    blobs = server.blobs.setdefault(repository, {})
    for data in (packed, config):
        blobs[digest_of(data)] = data
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": OCI_LAYER, "digest": digest_of(packed), "size": len(packed)}],
    }
    data = json.dumps(document).encode()
    kept = server.manifests.setdefault(repository, {})
    kept[tag] = kept[digest_of(data)] = (OCI_MANIFEST, data)
    return digest_of(data)


def architectures(document: dict[str, Any]) -> list[str]:
    return [entry["platform"]["architecture"] for entry in document["manifests"]]
