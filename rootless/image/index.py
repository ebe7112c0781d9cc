"""Indexes of the store: made of images that are here, and of manifests that only a registry has.

What of an index is written stands in storage/indexes.py; here is what its document says. Pure but for the blobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rootless.errors import NotFound
from rootless.image import manifest, platforms
from rootless.image.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from rootless.image.platforms import Platform
from rootless.storage import blobs, indexes
from rootless.storage.images import Image
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store


class IndexEntry(NamedTuple):
    """One image of an index. `platform` and `annotations` as in the document; `image` is the id of one of the
    store or "", `source` the registry's repository that has it, where known."""

    descriptor: Descriptor
    platform: Mapping[str, Any]
    annotations: Mapping[str, str] = {}
    image: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the index's document."""
        found: dict[str, Any] = self.descriptor.to_json()
        if self.platform:
            found["platform"] = dict(self.platform)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


def of_image(image: Image) -> IndexEntry:
    """The entry of an image of the store, for the platform that its configuration names."""
    found = image.manifest
    descriptor = Descriptor(str(found["mediaType"]), str(found["digest"]), int(found["size"]))
    keys = {"architecture": "architecture", "os": "os", "variant": "variant", "os.version": "os.version"}
    platform = {key: image.config[name] for key, name in keys.items() if image.config.get(name)}
    return IndexEntry(descriptor, platform, image=image.id)


def platform_of(fields: Any) -> dict[str, Any]:
    """The platform of an entry as a registry has it: what is no text in it is left out."""
    platform = fields.get("platform") if isinstance(fields, dict) else None
    if not isinstance(platform, dict):
        return {}
    features = platform.get("os.features")
    found: dict[str, Any] = {str(key): value for key, value in platform.items() if isinstance(value, str)}
    if isinstance(features, list) and all(isinstance(word, str) for word in features):
        found["os.features"] = features
    return found


def document(entries: Sequence[IndexEntry], annotations: Mapping[str, str], *, docker: bool | None = None) -> bytes:
    """The index of `entries`. Docker's list where all of them are Docker's (Quay takes no mixture), unless told."""
    as_docker = docker
    if as_docker is None:
        as_docker = bool(entries) and all(entry.descriptor.media_type == DOCKER_MANIFEST for entry in entries)
    found: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST if as_docker else OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    if annotations and not as_docker:
        found["annotations"] = dict(annotations)
    return json.dumps(found, separators=(",", ":")).encode()


def record(
    store: Store, name: str | None, entries: Sequence[IndexEntry], *, annotations: Mapping[str, str] | None = None
) -> StoredIndex:
    """Let `name` (canonical) mean the index of `entries`, whose images and manifests are stored; None: its id alone does.

    `run` and `inspect` of that name mean its image for this machine, `push` pushes all. The caller holds a lease.
    """
    data = document(entries, annotations or {})
    digest = blobs.add_bytes(store, data)
    descriptor = {"mediaType": json.loads(data)["mediaType"], "digest": digest, "size": len(data)}
    kept = [{**entry.to_json(), "image": entry.image, "source": entry.source} for entry in entries]
    chosen = choose(entries, platforms.host())
    return indexes.add(store, name, descriptor, kept, chosen.image if chosen else "")


def entries_of(stored: StoredIndex) -> list[IndexEntry]:
    """The entries of a recorded index."""
    return [
        IndexEntry(
            Descriptor(entry["mediaType"], entry["digest"], entry["size"]),
            entry.get("platform") or {},
            entry.get("annotations") or {},
            entry["image"],
            entry["source"],
        )
        for entry in stored.entries
    ]


def annotations_of(store: Store, stored: StoredIndex) -> dict[str, str]:
    """The annotations of the index itself."""
    found = manifest.load_json(blobs.read(store, stored.id), "the index").get("annotations")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def choose(entries: Sequence[IndexEntry], wanted: Platform) -> IndexEntry | None:
    """The entry with an image of the store that fits `wanted` best; None where there is none."""
    here = [entry for entry in entries if entry.image]
    chosen = platforms.select([platforms.of(entry.platform) for entry in here], wanted)
    return None if chosen is None else here[chosen]


def position(entries: Sequence[IndexEntry], text: str) -> int:
    """Which entry `text` means: a digest, or the beginning of one's digits. NotFound."""
    found = [
        number
        for number, entry in enumerate(entries)
        if text in (entry.descriptor.digest, entry.image)
        or (len(text) >= 12 and entry.descriptor.digest.removeprefix("sha256:").startswith(text.removeprefix("sha256:")))
    ]
    if not found:
        raise NotFound(f"the list has no manifest {text}", hint="`rootless manifest inspect` shows what it has")
    return found[0]


def is_uniform(entries: Sequence[IndexEntry]) -> bool:
    """Whether all entries are of one family: Docker's or OCI's."""
    return len({entry.descriptor.media_type for entry in entries} & {DOCKER_MANIFEST, OCI_MANIFEST}) < 2
