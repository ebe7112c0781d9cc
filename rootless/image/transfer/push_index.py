"""`push` of an index: each of its images by its digest, then the index under the tag."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from rootless.errors import NotFound
from rootless.image import index, manifest
from rootless.image.index import IndexEntry
from rootless.image.manifest import Descriptor
from rootless.image.progress import Progress
from rootless.image.registry.client import Registry
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import copy
from rootless.image.transfer.push import Pushed
from rootless.image.transfer.push import push as push_image
from rootless.image.transfer.work import Packing
from rootless.storage import blobs, images
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store


def push(
    store: Store,
    stored: StoredIndex,
    uploader: Uploader,
    tag: str,
    name: str,
    *,
    packing: Packing,
    progress: Progress,
    source: Callable[[str], Registry],
) -> Pushed:
    """Push all images of the index, then itself as `tag`; `name` is the repository as people call it.

    What is of another registry's repository only, which `source` opens, is copied. The index is written anew
    where an image's manifest became another by packing, or where Docker's and OCI's would be mixed (Quay).
    """
    entries = index.entries_of(stored)
    if not packing.types and not index.is_uniform(entries):
        packing = packing._replace(types="oci")
    done: list[IndexEntry] = []
    for entry in entries:
        descriptor = entry.descriptor
        if entry.image:
            pushed = push_image(store, _image(store, entry), uploader, [], packing=packing, progress=progress)
            images.note_pushed(store, entry.image, name, pushed.descriptor.digest)
            descriptor = pushed.descriptor
        else:
            _copy(entry, uploader, progress, source)
        done.append(entry._replace(descriptor=descriptor))
    data = blobs.read(store, stored.id)
    media_type = str(stored.descriptor["mediaType"])
    if done != entries or packing.types:
        data = index.document(done, index.annotations_of(store, stored), docker=_is_docker(packing.types))
        media_type = str(manifest.load_json(data, "the index")["mediaType"])
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    uploader.put_manifest(tag, data, media_type, digest)
    return Pushed(Descriptor(media_type, digest, len(data)), data)


def _image(store: Store, entry: IndexEntry) -> images.Image:
    try:
        return images.find(store, entry.image)
    except NotFound:
        raise NotFound(
            f"image {entry.image[7:19]} of the list has been removed",
            hint="`rootless manifest remove` takes it out, or build or pull it again",
        ) from None


def _copy(entry: IndexEntry, uploader: Uploader, progress: Progress, source: Callable[[str], Registry]) -> None:
    if not entry.source:
        raise NotFound(f"nobody knows where manifest {entry.descriptor.digest[:19]} of the list is")
    registry = source(entry.source)
    fetched = registry.manifest(entry.descriptor.digest, what=entry.source)
    copy.copy(registry, uploader, fetched._replace(media_type=entry.descriptor.media_type), progress)


def _is_docker(types: str) -> bool | None:
    return {"docker": True, "oci": False}.get(types)
