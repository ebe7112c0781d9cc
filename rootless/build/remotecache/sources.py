"""Caches elsewhere: what stands in them, and how one of their layers is had. Everything there is hostile.

A layer is fetched as a pulled one is: its blob against the digest that the manifest names, what comes out of it
against the diff id, under the bounds of every layer.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

from rootless.build.remotecache import document, layout_directory
from rootless.build.remotecache.document import Document
from rootless.build.remotecache.places import Place
from rootless.errors import Conflict, Corrupt, NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import config as image_config
from rootless.image import manifest, platforms
from rootless.image.archive import archive_reader, layout
from rootless.image.archive.archive_reader import DirectoryFiles
from rootless.image.manifest import Descriptor, Index
from rootless.image.progress import silent
from rootless.image.registry import registries_conf
from rootless.image.registry.client import Registry, verify
from rootless.image.transfer import packed_forms
from rootless.image.transfer.layers import Layer, fetch_layers
from rootless.image.trust import policy
from rootless.storage import blobs
from rootless.storage.store import Store

_BLOCK_BYTES = 1 << 20


class Origin(Protocol):
    """Where blobs come from."""

    def fetch(self, store: Store, layer: Layer) -> None:
        """Make the layer one of the store. The caller has joined the session and holds a lease."""


class Source(NamedTuple):
    """A cache that was read. `identity` is the same whenever the same place is named; `layers` by their diff ids."""

    identity: str
    document: Document
    layers: dict[str, Descriptor]
    origin: Origin

    def layer(self, diff_id: str) -> Layer | None:
        """The layer with its blob, where it goes with the cache."""
        blob = self.layers.get(diff_id)
        return Layer(blob, diff_id) if blob is not None else None


class _InRegistry:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def fetch(self, store: Store, layer: Layer) -> None:
        fetch_layers(store, [layer], registry=self._registry, progress=silent)
        place = f"{self._registry.registry}/{self._registry.repository}"
        packed_forms.remember(store, layer.diff_id, layer.descriptor, source=place)


class _InDirectory:
    def __init__(self, path: str) -> None:
        self._path = path

    def fetch(self, store: Store, layer: Layer) -> None:
        digest, size = layer.descriptor.digest, layer.descriptor.size
        while not blobs.has(store, digest, size):
            try:
                with DirectoryFiles(self._path) as files, blobs.writer(store, digest, size) as writer:
                    writer.restart()
                    source = files.open(_blob(digest))
                    while data := source.read(_BLOCK_BYTES):
                        writer.write(data)
                    writer.commit()
            except Conflict:
                blobs.wait(store, digest)
        fetch_layers(store, [layer], registry=None, progress=silent)
        packed_forms.remember(store, layer.diff_id, layer.descriptor)


def read(place: Place, wanted: list[str], *, tls_verify: bool) -> list[Source]:
    """The cache at `place`; none where an image carries none. `wanted`: the platforms whose images are meant where there
    are several."""
    if place.type == "local":
        source = _of_directory(place)
        return [source] if source is not None else []
    found = [_of_registry(place, platform, tls_verify=tls_verify) for platform in wanted]
    return [source for source in found if source is not None]


def is_by_digest(place: Place) -> bool:
    """Whether that very cache was asked for, and no other will do."""
    return bool(place.digest) or "@sha256:" in place.where


def _identity(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _blob(digest: str) -> str:
    blobs.check_digest(digest)
    return f"blobs/{digest.replace(':', '/', 1)}"


def _of_directory(place: Place) -> Source | None:
    import os

    what = f"the build cache in {place.where}"
    try:
        exact = layout_directory.trusted(place.where)
        opened = DirectoryFiles(exact)
    except OSError as error:
        raise NotFound(f"cannot open {what}: {error.strerror}") from None
    with opened as files:
        entry = layout.entry_of(files, place.where, "" if place.digest else place.tag, place.digest)

        def blob(descriptor: Descriptor) -> bytes:
            data = archive_reader.read(files, _blob(descriptor.digest), manifest.DOCUMENT_LIMIT_BYTES)
            verify(data, descriptor.digest, what)
            return data

        found = _parse(blob(entry), what)
        config = blob(found.config)
    where = os.path.realpath(exact)
    return _source(_identity("local", where, place.tag), found, config, what, _InDirectory(where))


def _of_registry(place: Place, platform: str, *, tls_verify: bool) -> Source | None:
    conf = registries_conf.read()
    failure: RootlessError = NotFound(f"{place.where} was found nowhere")
    for reference in conf.candidates(place.where):
        for endpoint in conf.endpoints(reference):
            registry = Registry(endpoint, tls_verify=tls_verify)
            what = f"the build cache {reference.familiar()}"
            try:
                fetched = registry.manifest(reference.digest or reference.tag or "latest", what=what)
                top, data = fetched.digest, fetched.data
                if "manifests" in manifest.load_json(data, what):
                    index = manifest.parse(data, what=what)
                    assert isinstance(index, Index)
                    chosen = manifest.choose(index, platforms.parse(platform), what=what)
                    fetched = registry.manifest(chosen.digest, what=what)
                policy.check_pull(reference, registry, (fetched.digest, top))
                found = _parse(fetched.data, what)
                config = registry.small_blob(found.config, what=what)
            except (NotFound, Unavailable) as error:
                failure = error
                continue
            return _source(_identity("registry", reference.canonical), found, config, what, _InRegistry(registry))
    raise failure


class _Parsed(NamedTuple):
    config: Descriptor
    layers: list[Descriptor]


def _parse(data: bytes, what: str) -> _Parsed:
    """A manifest of an image or of a cache."""
    found = manifest.load_json(data, f"the manifest of {what}")
    if not isinstance(found, dict) or found.get("schemaVersion") != 2 or not isinstance(found.get("layers"), list):
        raise Corrupt(f"the manifest of {what} is none")
    if len(found["layers"]) > manifest.LAYERS_LIMIT:
        raise Corrupt(f"the manifest of {what} has more than {manifest.LAYERS_LIMIT} layers")
    config = manifest.parse_descriptor(found.get("config"), f"config of {what}")
    if config.media_type not in (document.MEDIA_TYPE, manifest.OCI_CONFIG, manifest.DOCKER_CONFIG):
        raise NotSupported(f"{what} is no cache and no image, but of the type {config.media_type[:100]!r}",
                           hint="a cache of BuildKit's is read by BuildKit alone")  # fmt: skip
    layers = [manifest.parse_descriptor(layer, f"layers of {what}") for layer in found["layers"]]
    for layer in layers:
        manifest.check_layer(layer)
    return _Parsed(config, layers)


def _source(identity: str, found: _Parsed, config: bytes, what: str, origin: Origin) -> Source | None:
    if found.config.media_type == document.MEDIA_TYPE:
        parsed = document.parse(config, what)
    else:
        image = image_config.parse(config, layers=len(found.layers), what=what)
        if document.INLINE not in image:
            return None
        parsed = document.check(image[document.INLINE], what)._replace(diff_ids=image["rootfs"]["diff_ids"])
    if len(parsed.diff_ids) != len(found.layers):
        raise Corrupt(f"{what} names {len(parsed.diff_ids)} layers and has {len(found.layers)}")
    return Source(identity, parsed, dict(zip(parsed.diff_ids, found.layers, strict=True)), origin)
