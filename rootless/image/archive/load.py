"""`load`: images from a docker-archive, an oci-archive or an OCI layout directory.

A docker-archive's layers get a gzip blob each and a manifest of ours; an OCI layout keeps its
manifests and digests. Both may stand in one archive, as `docker save` writes since v25: then the
layout counts and manifest.json gives the names.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from rootless.errors import Corrupt, InvalidInput, NotFound, NotSupported
from rootless.image import config as image_config
from rootless.image import decompress, manifest, platforms, reference
from rootless.image.archive import archive_reader
from rootless.image.archive.archive_reader import ArchiveFiles
from rootless.image.archive.import_tar import open_input
from rootless.image.manifest import DOCUMENT_LIMIT_BYTES, Descriptor, Index, Manifest
from rootless.image.platforms import Platform
from rootless.image.progress import Event, Phase, Progress, silent
from rootless.image.registry.client import verify
from rootless.image.transfer import new_image, room
from rootless.image.transfer.layers import Layer, fetch_layers
from rootless.image.trust import policy
from rootless.storage import blobs, images
from rootless.storage.images import Image
from rootless.storage.store import Store

_BLOCK_BYTES = 1 << 20
_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


class Loaded(NamedTuple):
    """One image from an archive, and the canonical names that now mean it."""

    image: Image
    names: tuple[str, ...]


def load(
    store: Store, path: str, *, platform: Platform | None = None, progress: Progress = silent, stdin: IO[bytes] | None = None
) -> list[Loaded]:
    """Load every image in the archive or OCI directory at `path` ("-" is stdin, or what stands in for it).

    Compressed archives are recognised. Call single-threaded. Raises Corrupt, NotFound and
    NotSupported, naming what in the archive is wrong; images before it in the archive stay.
    """
    with store.lease(), _open(store, path, stdin) as files:
        wanted = platform or platforms.host()
        if files.has("index.json") and files.has("oci-layout"):
            policy.check_archive("oci" if os.path.isdir(path) else "oci-archive", path)
            return _load_layout(store, files, wanted, progress)
        if files.has("manifest.json"):
            policy.check_archive("docker-archive", path)
            return _load_docker(store, files, progress)
        if files.has("repositories"):
            raise NotSupported(
                f"{path} is an archive of Docker before 1.10", hint="save it again, with any newer one"
            )
    raise InvalidInput(
        f"{path} is no image archive: neither index.json nor manifest.json in it",
        hint="a tarball of a root file system is imported with `rootless import`",
    )


@contextlib.contextmanager
def _open(store: Store, path: str, stdin: IO[bytes] | None) -> Iterator[ArchiveFiles]:
    if path != "-" and os.path.isdir(path):
        with archive_reader.DirectoryFiles(path) as directory:
            yield directory
        return
    with open_input(path, stdin) as file, contextlib.ExitStack() as stack:
        yield archive_reader.TarFiles(_seekable(store, file, path, stack))


def _seekable(store: Store, file: IO[bytes], path: str, stack: contextlib.ExitStack) -> IO[bytes]:
    """`file` itself if it is a plain tar on disk, else its plain bytes in a nameless file."""
    if path != "-":
        head = file.read(8)
        file.seek(0)
        if not decompress.compression(head) and file.seekable():
            return file
    descriptor = stack.enter_context(new_image.nameless_file(store))
    source = decompress.open_stream(file, what=path)
    with os.fdopen(os.dup(descriptor), "wb") as spool:
        while block := source.read(_BLOCK_BYTES):
            spool.write(block)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return stack.enter_context(os.fdopen(os.dup(descriptor), "rb"))


def _load_layout(store: Store, files: ArchiveFiles, wanted: Platform, progress: Progress) -> list[Loaded]:
    data = archive_reader.read(files, "index.json", DOCUMENT_LIMIT_BYTES)
    index = manifest.parse(data, manifest.OCI_INDEX, what="index.json")
    if not isinstance(index, Index) or not index.entries:
        raise Corrupt("index.json lists no images")
    tags = _docker_tags(files)
    loaded: dict[str, Loaded] = {}
    for entry in index.entries:
        if entry.media_type not in manifest.ACCEPTED:
            continue
        image, config_digest = add_from_layout(store, files, entry, wanted, progress)
        names = _names(entry) or tags.get(config_digest, [])
        before = loaded.get(image.id)
        loaded[image.id] = _named(store, image, [*(before.names if before else ()), *names], progress)
    if not loaded:
        raise NotSupported("index.json lists no images, only other artifacts")
    return list(loaded.values())


def add_from_layout(
    store: Store, files: ArchiveFiles, entry: Descriptor, wanted: Platform, progress: Progress
) -> tuple[Image, str]:
    """The image of an entry of a layout's index, with all its layers but no name; and its configuration's digest."""
    parsed, raw, descriptor = _manifest(files, entry, wanted)
    config_data = _blob(files, parsed.config)
    what = f"image {parsed.config.digest[7:19]}"
    config = image_config.parse(config_data, layers=len(parsed.layers), what=what)
    layers = [Layer(*pair) for pair in zip(parsed.layers, config["rootfs"]["diff_ids"], strict=True)]
    room.check(store, layers, what, progress)
    for layer in parsed.layers:
        _copy_blob(store, files, layer)
    fetch_layers(store, layers, registry=None, progress=progress)
    blobs.add_bytes(store, config_data)
    blobs.add_bytes(store, raw)
    document = manifest.load_json(raw, what)
    return images.add(store, None, descriptor.to_json(), document, config), parsed.config.digest


def _manifest(files: ArchiveFiles, entry: Descriptor, wanted: Platform) -> tuple[Manifest, bytes, Descriptor]:
    for _ in range(3):
        raw = _blob(files, entry)
        parsed = manifest.parse(raw, entry.media_type, what=f"manifest {entry.digest[7:19]}")
        if isinstance(parsed, Manifest):
            return parsed, raw, entry
        entry = manifest.choose(parsed, wanted, what=f"index {entry.digest[7:19]}")
    raise NotSupported("the archive has an index of indexes of indexes")


def _names(entry: Descriptor) -> list[str]:
    """What the layout's annotations call the image; a bare tag is no name."""
    full, short = entry.annotations.get(_NAME), entry.annotations.get(_REF_NAME)
    if full:
        return [reference.parse(full).canonical]
    if short and ("/" in short or ":" in short):
        return [reference.parse(short).canonical]
    return []


def _docker_tags(files: ArchiveFiles) -> dict[str, list[str]]:
    """Names by digest of the configuration, from the manifest.json beside a layout."""
    if not files.has("manifest.json"):
        return {}
    found: dict[str, list[str]] = {}
    for entry in _docker_entries(files):
        digest = "sha256:" + posixpath.basename(entry.config).removesuffix(".json")
        found.setdefault(digest, []).extend(entry.names)
    return found


class _DockerEntry(NamedTuple):
    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def _docker_entries(files: ArchiveFiles) -> list[_DockerEntry]:
    data = archive_reader.read(files, "manifest.json", DOCUMENT_LIMIT_BYTES)
    document = manifest.load_json(data, "manifest.json")
    if not isinstance(document, list) or not document:
        raise Corrupt("manifest.json lists no images")
    entries = []
    for item in document:
        fields: dict[str, Any] = item if isinstance(item, dict) else {}
        config = fields.get("Config")
        tags, layers = ([] if fields.get(key) is None else fields[key] for key in ("RepoTags", "Layers"))
        strings = isinstance(tags, list) and isinstance(layers, list) and isinstance(config, str)
        if not strings or not all(isinstance(text, str) for text in (*tags, *layers)):
            raise Corrupt("manifest.json: an entry without proper Config, RepoTags and Layers")
        if len(layers) > manifest.LAYERS_LIMIT:
            raise Corrupt(f"manifest.json: more than {manifest.LAYERS_LIMIT} layers")
        names = tuple(reference.parse(tag).canonical for tag in tags)
        entries.append(_DockerEntry(str(config), names, tuple(layers)))
    return entries


def _load_docker(store: Store, files: ArchiveFiles, progress: Progress) -> list[Loaded]:
    loaded = []
    for entry in _docker_entries(files):
        config_data = archive_reader.read(files, entry.config, DOCUMENT_LIMIT_BYTES)
        claimed = posixpath.basename(entry.config).removesuffix(".json")
        if len(claimed) == 64:
            verify(config_data, "sha256:" + claimed, f"{entry.config} in the archive")
        config = image_config.parse(config_data, layers=len(entry.layers), what=entry.config)
        layers = []
        for name, diff_id in zip(entry.layers, config["rootfs"]["diff_ids"], strict=True):
            layer = new_image.add_layer(store, decompress.open_stream(files.open(name), what=name))
            if layer.diff_id != diff_id:
                raise Corrupt(f"{name} in the archive has diff id {layer.diff_id} instead of {diff_id}")
            layers.append(layer)
        image = new_image.record(store, layers, config_data, config, progress=progress)
        loaded.append(_named(store, image, entry.names, progress))
    return loaded


def _named(store: Store, image: Image, names: list[str] | tuple[str, ...], progress: Progress) -> Loaded:
    """Give the image the names that the archive claims; a digest in one has to be its own."""
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        digest = name.partition("@")[2]
        if digest and digest != image.manifest.get("digest"):
            raise Corrupt(
                f"the archive claims the name {name}, but its image is {image.manifest.get('digest')}",
                hint="whoever made it wants another image to be run by that digest",
            )
    for name in unique:
        try:
            before = images.find(store, name, all_names=False)
        except NotFound:
            before = None
        if before is not None and before.id != image.id:
            text = f"The image {name} already exists, renaming the old one with ID {before.id} to empty string"
            progress(Event("", Phase.MESSAGE, text=text))
        images.tag(store, image.id, name)
    return Loaded(images.find(store, image.id), unique)


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _blob(files: ArchiveFiles, descriptor: Descriptor) -> bytes:
    """A small blob of the layout, verified."""
    name = _path(descriptor.digest)
    if not files.has(name):
        raise NotFound(f"the archive lacks blob {descriptor.digest}")
    data = archive_reader.read(files, name, DOCUMENT_LIMIT_BYTES)
    verify(data, descriptor.digest, f"blob {name} in the archive")
    return data


def _copy_blob(store: Store, files: ArchiveFiles, layer: Descriptor) -> None:
    if blobs.has(store, layer.digest, layer.size):
        return
    name = _path(layer.digest)
    if not files.has(name):
        raise NotFound(f"the archive lacks layer {layer.digest}")
    source = files.open(name)
    with blobs.writer(store, layer.digest, layer.size) as writer:
        # A rest of some download of the same layer: the archive is complete, begin afresh.
        writer.restart()
        while block := source.read(_BLOCK_BYTES):
            writer.write(block)
        writer.commit()
