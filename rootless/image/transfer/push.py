"""`push`: an image of the store into a registry.

A layer goes up as it was pulled, where that blob is stored; else it is written as a tar and packed on the way,
once. What the registry has, or takes from another of its repositories, is not sent. The manifest goes last:
until then nothing of the image is seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from rootless.errors import NotFound, NotSupported
from rootless.image import manifest
from rootless.image.manifest import Descriptor, Manifest
from rootless.image.progress import Event, Phase, Progress, silent
from rootless.image.registry.blob_upload import of_bytes
from rootless.image.registry.upload import ManifestRefused, Uploader
from rootless.image.transfer import packed_forms
from rootless.image.transfer.work import Packing, PushedLayer, Work, size, stored
from rootless.storage import blobs
from rootless.storage.images import Image
from rootless.storage.layers import known_blobs
from rootless.storage.store import Store

_AT_ONCE = 4


AS_IT_IS = Packing()


class Pushed(NamedTuple):
    """The manifest that the registry has now."""

    descriptor: Descriptor
    data: bytes


def push(
    store: Store,
    image: Image,
    uploader: Uploader,
    references: Sequence[str],
    *,
    packing: Packing = AS_IT_IS,
    progress: Progress = silent,
) -> Pushed:
    """Push `image` and put its manifest under each of `references` (tags; its digest where there is none).

    Call single-threaded; joins the session where a layer has to be packed. Raises NotFound, Unavailable,
    Corrupt; what was sent until then is found there by the next attempt.
    """
    with store.lease():
        data = blobs.read(store, str(image.manifest["digest"]))
        parsed = manifest.parse(data, str(image.manifest["mediaType"]), what=f"image {image.id[7:19]}")
        if not isinstance(parsed, Manifest) or len(parsed.layers) != len(image.diff_ids):
            raise NotFound(f"image {image.id[7:19]} has no manifest", hint="pull it again")
        layers = _push_layers(store, image, parsed, uploader, packing, progress)
        _push_small(uploader, parsed.config.digest, blobs.read(store, parsed.config.digest))
        pushed = _put(uploader, references, data, parsed, layers, packing, progress)
        for layer, diff_id in zip(layers, image.diff_ids, strict=True):
            packed_forms.remember(store, diff_id, layer, source=f"{uploader.registry}/{uploader.repository}")
        return pushed


def _put(
    uploader: Uploader,
    references: Sequence[str],
    data: bytes,
    parsed: Manifest,
    layers: list[Descriptor],
    packing: Packing,
    progress: Progress,
) -> Pushed:
    """Put the manifest of `layers` under each reference; with Docker's types where OCI's are refused, unless
    types were asked for: some registries know no others."""

    def put(types: str) -> Pushed:
        pushed = _manifest(data, parsed, layers, types)
        described = pushed.descriptor
        for reference in references or (described.digest,):
            uploader.put_manifest(reference, pushed.data, described.media_type, described.digest)
        return pushed

    try:
        return put(packing.types)
    except ManifestRefused as refused:
        zstd = any(manifest.form_of(layer.media_type) == "zstd" for layer in layers)
        if packing.types or zstd or _manifest(data, parsed, layers, "").descriptor.media_type != manifest.OCI_MANIFEST:
            raise
        try:
            pushed = put("docker")
        except ManifestRefused:
            raise refused from None
        progress(Event("", Phase.MESSAGE, text=f"{uploader.host} takes no OCI manifest: pushed with Docker's media types"))
        return pushed


def _push_layers(
    store: Store, image: Image, parsed: Manifest, uploader: Uploader, packing: Packing, progress: Progress
) -> list[Descriptor]:
    works = []
    for layer, diff_id in zip(parsed.layers, image.diff_ids, strict=True):
        known = [layer] if packing.portable else _known(store, image, layer, diff_id)
        packed = next((one.digest for one in known if blobs.has(store, one.digest, one.size)), "")
        works.append(Work(diff_id, _candidates(store, layer, known, packing.form), packed))
    uploaded = upload_layers(store, works, uploader, packing, progress)
    return [uploaded[diff_id] for diff_id in image.diff_ids]


def upload_layers(
    store: Store, works: Sequence[Work], uploader: Uploader, packing: Packing, progress: Progress
) -> dict[str, Descriptor]:
    """Have the registry have the layers: {diff id: the blob that it has}. Raises as `push`; needs its lease."""
    for work in works:
        progress(Event(work.short, Phase.PREPARING))
    found: dict[str, Descriptor] = {}
    missing: dict[str, Work] = {}
    for work in works:
        if work.diff_id in found or work.diff_id in missing:
            continue
        there = next((one for one in work.candidates if uploader.has_blob(one.digest)), None)
        if there is None:
            missing[work.diff_id] = work
        else:
            found[work.diff_id] = there
            progress(Event(work.short, Phase.PUSHED_BEFORE))
    if missing:
        if any(not stored(store, work) for work in missing.values()):
            from rootless.session import session

            session.join()
        found |= _run(store, list(missing.values()), uploader, packing, progress)
    return {work.diff_id: found[work.diff_id] for work in works}


def _run(
    store: Store, works: list[Work], uploader: Uploader, packing: Packing, progress: Progress
) -> dict[str, Descriptor]:
    from rootless.image.transfer import push_layer, workers

    if packing.portable:
        from rootless.image import compress

        form = packing.form or "gzip"
        if not compress.is_portable(form):
            progress(Event("", Phase.MESSAGE, text=f"SOURCE_DATE_EPOCH: this host's {form} may give another digest than others"))
    # The largest first: the last worker should not start with the longest job.
    works.sort(key=lambda work: size(store, work), reverse=True)
    for work in works:
        progress(Event(work.short, Phase.WAITING))
    results: dict[str, Descriptor] = {}

    def received(work: Work, message: dict[str, Any]) -> None:
        if "pushed" in message:
            result = PushedLayer(*message["pushed"])
            results[work.diff_id] = Descriptor(result.media_type, result.digest, result.size)
            phase = Phase.MOUNTED if result.mounted_from else Phase.PUSHED
            progress(Event(work.short, phase, result.size, result.size, result.mounted_from))
            return
        progress(Event(work.short, Phase(message["phase"]), message["done"], message["total"], message["text"]))

    how: workers.Jobs[Work] = workers.Jobs(
        work=lambda work, send: push_layer.push_layer(store, work, uploader, packing=packing, send=send),
        received=received,
        ended=lambda _: None,
        name=lambda work: f"layer {work.short}",
    )
    workers.run(works, how, at_most=_AT_ONCE)
    return results


def _known(store: Store, image: Image, layer: Descriptor, diff_id: str) -> list[Descriptor]:
    """All blobs that are known to hold the layer; the one that the manifest names first."""
    found = [layer]
    for known in known_blobs.known(store, diff_id):
        found.append(Descriptor(manifest.layer_type(known.compression), known.digest, known.size))
    other = dict(zip(image.diff_ids, image.layers, strict=False)).get(diff_id, "")
    if other and other != layer.digest and blobs.has(store, other):
        from rootless.image.transfer import layer_blob

        media_type = manifest.layer_type(layer_blob.compression_of(store, other))
        found.append(Descriptor(media_type, other, blobs.size(store, other)))
    unique: dict[str, Descriptor] = {}
    for descriptor in found:
        unique.setdefault(descriptor.digest, descriptor)
    return list(unique.values())


def _candidates(store: Store, layer: Descriptor, known: list[Descriptor], form: str) -> list[Descriptor]:
    """Which of `known` may be pushed, best first: the one that the manifest names, alone where it is stored, so
    that the digest of the image stays; else gzip first."""
    fitting = [one for one in known if not form or manifest.form_of(one.media_type) == form]
    if layer in fitting and blobs.has(store, layer.digest, layer.size):
        return [layer]
    wanted = form or "gzip"
    # A manifest of a build names the tar itself, which is pushed only where that is asked for.
    packed = [one for one in fitting if form or one is not layer or manifest.form_of(one.media_type) != "uncompressed"]
    return sorted(packed, key=lambda one: manifest.form_of(one.media_type) != wanted)


def _push_small(uploader: Uploader, digest: str, data: bytes) -> None:
    """A configuration."""
    if not uploader.has_blob(digest):
        uploader.upload(of_bytes(digest, data), sent=lambda _: None)


def _manifest(data: bytes, parsed: Manifest, layers: list[Descriptor], types: str) -> Pushed:
    """The image's own manifest, byte for byte, unless a layer or the types in it are others now."""
    zstd = any(manifest.form_of(layer.media_type) == "zstd" for layer in layers)
    docker = parsed.media_type == manifest.DOCKER_MANIFEST
    if types == "docker" and zstd:
        raise NotSupported("layers packed with zstd need OCI's media types", hint="leave --format docker out")
    same = [layer.digest for layer in layers] == [layer.digest for layer in parsed.layers]
    if same and types in ("", "docker" if docker else "oci"):
        return Pushed(Descriptor(parsed.media_type, _digest(data), len(data)), data)
    as_docker = types == "docker" or (not types and docker and not zstd)
    document: dict[str, Any] = manifest.load_json(data, "the manifest")
    known = {entry["digest"]: entry for entry in document["layers"]}
    entries = []
    for layer in layers:
        entry = manifest.in_family(layer, docker=as_docker).to_json()
        # Docker's schema has no annotations.
        if not as_docker and known.get(layer.digest, {}).get("annotations"):
            entry["annotations"] = known[layer.digest]["annotations"]
        entries.append(entry)
    media_type = manifest.DOCKER_MANIFEST if as_docker else manifest.OCI_MANIFEST
    config_type = manifest.DOCKER_CONFIG if as_docker else manifest.OCI_CONFIG
    written: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": parsed.config._replace(media_type=config_type).to_json(),
        "layers": entries,
    }
    if document.get("annotations") and not as_docker:
        written["annotations"] = document["annotations"]
    data = json.dumps(written, separators=(",", ":")).encode()
    return Pushed(Descriptor(media_type, _digest(data), len(data)), data)


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
