"""From one repository of a registry to another: manifests with all they name, nothing unpacked, nothing stored.

Blobs are mounted where both are of one registry, else they pass through us.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootless.errors import Corrupt, NotSupported, RootlessError
from rootless.image import manifest
from rootless.image.manifest import Descriptor
from rootless.image.progress import Event, Phase, Progress
from rootless.image.registry.blob_upload import Content
from rootless.image.registry.client import Fetched, Registry
from rootless.image.registry.responses import Transient
from rootless.image.registry.upload import Uploader

_DEPTH = 3


def copy(source: Registry, target: Uploader, fetched: Fetched, progress: Progress, *, tag: str = "", depth: int = 0) -> None:
    """Copy the manifest or index `fetched` from `source`, children and blobs first, as `tag` or by its digest."""
    what = f"{source.host}/{source.repository}"
    if depth == _DEPTH:
        raise NotSupported(f"{what} is an index of indexes of indexes")
    same = (source.registry, source.repository) == (target.registry, target.repository)
    if not same:
        children, blobs = _parts(fetched, what)
        for entry in children:
            child = source.manifest(entry.digest, what=what)
            copy(source, target, child._replace(media_type=entry.media_type), progress, depth=depth + 1)
        for blob in blobs:
            _copy_blob(source, target, blob, progress)
    if not same or tag:
        target.put_manifest(tag or fetched.digest, fetched.data, fetched.media_type, fetched.digest)


def _parts(fetched: Fetched, what: str) -> tuple[list[Descriptor], list[Descriptor]]:
    """The manifests and the blobs that a manifest of any kind names, an attestation's or a chart's, too."""
    found = manifest.load_json(fetched.data, f"the manifest of {what}")
    if not isinstance(found, dict):
        raise Corrupt(f"the manifest of {what} is no JSON object")
    children = _descriptors(found.get("manifests"), what)
    config = [found["config"]] if found.get("config") else []
    blobs = {blob.digest: blob for blob in _descriptors([*(found.get("layers") or []), *config], what)}
    return children, list(blobs.values())


def _descriptors(values: object, what: str) -> list[Descriptor]:
    if values is None:
        return []
    if not isinstance(values, list) or len(values) > manifest.LAYERS_LIMIT:
        raise Corrupt(f"the manifest of {what} is no proper one")
    return [manifest.parse_descriptor(value, f"the manifest of {what}") for value in values]


def _copy_blob(source: Registry, target: Uploader, blob: Descriptor, progress: Progress) -> None:
    short = blob.digest[7:19]
    if target.has_blob(blob.digest):
        progress(Event(short, Phase.PUSHED_BEFORE))
        return
    if source.registry == target.registry and target.mount(blob.digest, source.repository):
        progress(Event(short, Phase.MOUNTED, blob.size, blob.size, source.repository))
        return

    def read(start: int, stop: int) -> Iterator[bytes]:
        yield from _range(source, blob, start, stop)

    target.upload(
        Content(blob.digest, blob.size, read),
        sent=lambda done: progress(Event(short, Phase.PUSHING, done, blob.size)),
    )
    progress(Event(short, Phase.PUSHED, blob.size, blob.size))


def _range(source: Registry, blob: Descriptor, start: int, stop: int) -> Iterator[bytes]:
    """The blob's bytes between two offsets; the registry that gets them verifies the whole."""
    try:
        found = source.blob(blob.digest, offset=start)
        try:
            position = found.offset
            for chunk in found.chunks:
                piece = chunk[max(0, start - position) : max(0, stop - position)]
                position += len(chunk)
                if piece:
                    yield piece
                if position >= stop:
                    return
        finally:
            found.response.close()
    except Transient as transient:
        raise _given_up(transient.error) from None
    raise Corrupt(f"{source.host}/{source.repository} gave less of blob {blob.digest[:19]} than its manifest says")


def _given_up(error: RootlessError) -> RootlessError:
    error.hint = error.hint or "try again: what has been copied stays"
    return error
