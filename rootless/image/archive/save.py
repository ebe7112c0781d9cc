"""`save`: images as an archive that docker, podman, skopeo and containerd read.

docker-archive is what `docker save` writes since v25: an OCI layout with a manifest.json for older
readers. oci-archive is the layout alone, oci-dir the same as a directory. Blobs are copied as stored.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import IO, Any, NamedTuple

from rootless.errors import Conflict, Corrupt, NotFound
from rootless.image import manifest, reference
from rootless.image.manifest import Descriptor
from rootless.session import session
from rootless.storage import blobs, images, named_paths
from rootless.storage.images import Image
from rootless.storage.layers import layers as unpacked
from rootless.storage.layers import write_tar
from rootless.storage.store import Store

_BLOCK_BYTES = 1 << 20


class Format(StrEnum):
    """As `podman save --format` calls them."""

    DOCKER_ARCHIVE = "docker-archive"
    OCI_ARCHIVE = "oci-archive"
    OCI_DIR = "oci-dir"


class _Saved(NamedTuple):
    image: Image
    names: list[str]
    descriptor: Descriptor
    manifest_data: bytes
    layers: list[Descriptor]


def save(
    store: Store, wanted: Sequence[tuple[Image, Sequence[str]]], out: IO[bytes], *, as_format: Format
) -> None:
    """Write the images to `out` as a tar archive; `wanted` pairs each with the names to save it under."""
    with store.lease():
        saved = [_describe(store, image, names) for image, names in wanted]
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name in ("blobs", "blobs/sha256"):
                tar.addfile(_member(name, kind=tarfile.DIRTYPE))
            for name, data in _contents(store, saved, docker=as_format is Format.DOCKER_ARCHIVE):
                if isinstance(data, bytes):
                    tar.addfile(_member(name, len(data)), io.BytesIO(data))
                elif isinstance(data, _Unpacked):
                    tar.addfile(_member(name, data.size))
                    stream: Any = tar.fileobj  # `out` behind its buffer
                    _write_unpacked(store, data, stream)
                    stream.write(bytes(-data.size % tarfile.BLOCKSIZE))
                else:
                    with open(data.path, "rb") as file:
                        tar.addfile(_member(name, data.size), file)


def save_directory(store: Store, wanted: Sequence[tuple[Image, Sequence[str]]], path: str) -> None:
    """Write the images as an OCI layout into the new or empty directory `path`."""
    with store.lease(), named_paths.made_directory(path) as directory:
        saved = [_describe(store, image, names) for image, names in wanted]
        if os.listdir(directory):
            raise Conflict(f"{path} is not empty", hint="name a new directory")
        os.makedirs(f"{directory}/blobs/sha256")
        for name, data in _contents(store, saved, docker=False):
            with open(f"{directory}/{name}", "xb") as out:
                _write_member(store, data, out)


def give_blobs(
    store: Store, image: Image, put: Callable[[str, int, Callable[[write_tar.Sink], None]], None]
) -> tuple[Descriptor, list[Descriptor]]:
    """Give `put` each blob of the image: digest, size, and what writes it. Returns the manifest's descriptor, and the layers'.
    The caller holds a lease."""
    saved = _describe(store, image, ())
    for name, data in _contents(store, [saved], docker=False):
        if name.startswith("blobs/sha256/"):
            size = len(data) if isinstance(data, bytes) else data.size
            put("sha256:" + name.rpartition("/")[2], size, functools.partial(_write_member, store, data))
    return saved.descriptor, saved.layers


def _write_member(store: Store, data: bytes | _Stored | _Unpacked, out: write_tar.Sink) -> None:
    if isinstance(data, bytes):
        out.write(data)
    elif isinstance(data, _Unpacked):
        _write_unpacked(store, data, out)
    else:
        with open(data.path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                out.write(block)


class _Stored(NamedTuple):
    path: str
    size: int


class _Unpacked(NamedTuple):
    """A layer that nobody has packed yet (a build's, a commit's): its tar is written on the way."""

    diff_id: str
    size: int


class _Counted:
    """Hashes and counts what passes, and lets no more pass than was announced."""

    def __init__(self, out: write_tar.Sink, limit_bytes: int) -> None:
        self._out = out
        self._left = limit_bytes
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._hash.update(data)
            self._out.write(data)

    def is_whole(self, diff_id: str) -> bool:
        return self._left == 0 and "sha256:" + self._hash.hexdigest() == diff_id


def _write_unpacked(store: Store, layer: _Unpacked, out: write_tar.Sink) -> None:
    counted = _Counted(out, layer.size)
    write_tar.write_stored_layer(store, layer.diff_id, counted)
    if not counted.is_whole(layer.diff_id):
        raise Corrupt(
            f"layer {layer.diff_id[:19]} is not what it was when it was made", hint="build or commit the image again"
        )


def _contents(store: Store, saved: list[_Saved], *, docker: bool) -> list[tuple[str, bytes | _Stored | _Unpacked]]:
    """Every member in order: blobs first, each once, then the documents that refer to them."""
    members: dict[str, bytes | _Stored | _Unpacked] = {}
    for item in saved:
        for layer in item.layers:
            members[_path(layer.digest)] = _member_of(store, layer)
        members[_path(item.image.id)] = blobs.read(store, item.image.id)
        members[_path(item.descriptor.digest)] = item.manifest_data
    ordered: list[tuple[str, bytes | _Stored | _Unpacked]] = list(members.items())
    ordered.append(
        (
            "index.json",
            _json({"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": _entries(saved)}),
        )
    )
    ordered.append(("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'))
    if docker:
        ordered.append(("manifest.json", _json([_docker_entry(item) for item in saved])))
    return ordered


def _member_of(store: Store, layer: Descriptor) -> _Stored | _Unpacked:
    if blobs.has(store, layer.digest, layer.size):
        return _Stored(blobs.path(store, layer.digest), layer.size)
    return _Unpacked(layer.digest, layer.size)


def _entries(saved: list[_Saved]) -> list[dict[str, Any]]:
    entries = []
    for item in saved:
        plain = item.descriptor.to_json()
        config = item.image.config
        plain["platform"] = {key: config[key] for key in ("architecture", "os", "variant") if config.get(key)}
        for name in item.names:
            tag = reference.parse(name).tag or "latest"
            annotations = {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": tag,
            }
            entries.append({**plain, "annotations": annotations})
        if not item.names:
            entries.append(plain)
    return entries


def _docker_entry(item: _Saved) -> dict[str, Any]:
    return {
        "Config": _path(item.image.id),
        "RepoTags": [reference.parse(name).familiar() for name in item.names] or None,
        "Layers": [_path(layer.digest) for layer in item.layers],
    }


def _describe(store: Store, image: Image, names: Sequence[str]) -> _Saved:
    """What to write for `image`; its own manifest unless a blob of it is stored in another compression."""
    tags = [name for name in names if "@" not in name]
    data = blobs.read(store, str(image.manifest["digest"]))
    parsed = manifest.parse(data, str(image.manifest["mediaType"]), what=f"image {image.id[7:19]}")
    if not isinstance(parsed, manifest.Manifest):
        raise NotFound(f"image {image.id[7:19]} has no manifest", hint="pull it again")
    layers = list(parsed.layers)
    pairs = list(zip(layers, image.diff_ids, strict=True))
    if not all(blobs.has(store, layer.digest, layer.size) for layer in layers):
        session.join()  # the files of a layer are of all ids
    if all(_is_at_hand(store, *pair) for pair in pairs):
        descriptor = Descriptor(parsed.media_type, str(image.manifest["digest"]), len(data))
        return _Saved(image, tags, descriptor, data, layers)
    layers = [_stored_as(store, *pair, image) for pair in pairs]
    document = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": parsed.config._replace(media_type=manifest.OCI_CONFIG).to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    data = _json(document)
    digest = blobs.add_bytes(store, data)
    return _Saved(image, tags, Descriptor(manifest.OCI_MANIFEST, digest, len(data)), data, layers)


def _is_at_hand(store: Store, layer: Descriptor, diff_id: str) -> bool:
    """Whether the layer can be written as its manifest names it: packed as stored, or as its tar."""
    if blobs.has(store, layer.digest, layer.size):
        return True
    return layer.digest == diff_id and unpacked.has(store, diff_id)


def _stored_as(store: Store, layer: Descriptor, diff_id: str, image: Image) -> Descriptor:
    """The layer as this image names it, or as another image with the same contents brought it."""
    if _is_at_hand(store, layer, diff_id):
        return layer
    for other in images.list_images(store):
        for digest, other_diff_id in zip(other.layers, other.diff_ids, strict=False):
            if other_diff_id == diff_id and blobs.has(store, digest):
                path = blobs.path(store, digest)
                with open(path, "rb") as file:
                    media_type = _media_type(file.read(8))
                return Descriptor(media_type, digest, os.stat(path).st_size)
    raise NotFound(
        f"the compressed layer {layer.digest[:19]} of image {image.id[7:19]} is not in the store",
        hint="remove the image, pull it again, then save it",
    )


def _media_type(head: bytes) -> str:
    from rootless.image.decompress import compression

    return manifest.OCI_LAYER + {"gzip": "+gzip", "zstd": "+zstd"}.get(compression(head), "")


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _member(name: str, size: int = 0, *, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """No times, no owners: the same images give the same archive."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member
