"""Images made here, not fetched: a root file system in, blobs and a record in the store out.

Shared by `import` and `bootstrap`: compresses and hashes in one pass, writes the configuration and
manifest that OCI image-spec v1.1 asks for, then unpacks by the same way a pulled layer takes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from rootless.image import compress, manifest, platforms
from rootless.image.decompress import ByteSource
from rootless.image.manifest import Descriptor
from rootless.image.platforms import Platform
from rootless.image.progress import Progress
from rootless.image.transfer.layers import Layer, fetch_layers
from rootless.inherited import LAST_S
from rootless.storage import blobs, disk_errors, images
from rootless.storage.images import Image
from rootless.storage.store import Store, make_directory

_BLOCK_BYTES = 1 << 20


def add_layer(store: Store, tar: ByteSource) -> Layer:
    """Store the uncompressed `tar` as a gzip blob; the layer is not unpacked yet. Holds no lease."""
    plain, packed = hashlib.sha256(), hashlib.sha256()
    size = 0
    with nameless_file(store) as descriptor:

        def write(data: bytes) -> None:
            nonlocal size
            packed.update(data)
            write_all(descriptor, data)
            size += len(data)

        portable = bool(os.environ.get("SOURCE_DATE_EPOCH"))
        # Our caller forks workers, and may join the session, once the layer is stored.
        compressor = compress.compressor("gzip", write, portable=portable, alone=True)
        while block := tar.read(_BLOCK_BYTES):
            plain.update(block)
            compressor.write(block)
        compressor.finish()
        digest = "sha256:" + packed.hexdigest()
        if not blobs.has(store, digest, size):
            os.fsync(descriptor)
            give_name(descriptor, blobs.path(store, digest))
    return Layer(Descriptor(manifest.OCI_LAYER_GZIP, digest, size), "sha256:" + plain.hexdigest())


def add_image(
    store: Store,
    name: str | None,
    layers: list[Layer],
    *,
    run_config: dict[str, Any],
    history: list[dict[str, Any]],
    created: str,
    platform: Platform,
    progress: Progress,
) -> Image:
    """The image of `layers` (bottom first), unpacked and recorded under `name` (canonical).

    The caller holds a lease since before `add_layer`.
    """
    config: dict[str, Any] = {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": run_config,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": history,
    }
    if platform.variant:
        config["variant"] = platform.variant
    config_data = json.dumps(config, separators=(",", ":")).encode()
    image = record(store, layers, config_data, config, progress=progress)
    if name is not None:
        images.tag(store, image.id, name)
        return images.find(store, image.id)
    return image


def record(
    store: Store,
    layers: list[Layer],
    config_data: bytes,
    config: dict[str, Any],
    *,
    progress: Progress,
    docker_types: bool = False,
) -> Image:
    """Unpack `layers` and record an image of theirs with a configuration that is given byte for byte."""
    config_digest = blobs.add_bytes(store, config_data)
    descriptors = [layer.descriptor for layer in layers]
    config_type, media_type = manifest.OCI_CONFIG, manifest.OCI_MANIFEST
    if docker_types:
        config_type, media_type = manifest.DOCKER_CONFIG, manifest.DOCKER_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": Descriptor(config_type, config_digest, len(config_data)).to_json(),
        "layers": [manifest.in_family(one, docker=docker_types).to_json() for one in descriptors],
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    digest = blobs.add_bytes(store, data)
    fetch_layers(store, layers, registry=None, progress=progress)
    described = Descriptor(media_type, digest, len(data)).to_json()
    return images.add(store, None, described, document, config)


def timestamp(seconds: float | None = None) -> str:
    """RFC 3339 in UTC: of `seconds` since the epoch, $SOURCE_DATE_EPOCH, or now."""
    if seconds is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        seconds = float(epoch) if epoch.isascii() and epoch.isdigit() else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(seconds, LAST_S)))


def host_platform() -> Platform:
    """What images made here are for."""
    return platforms.host()


@contextlib.contextmanager
def nameless_file(store: Store) -> Iterator[int]:
    """A file that is gone if we are killed; NFS and others without O_TMPFILE get one with a name."""
    store.wait()
    make_directory(store.blobs + "/sha256")
    make_directory(store.blobs + "/partial")
    try:
        descriptor = os.open(store.blobs + "/partial", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        named = None
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            raise
        named = f"{store.blobs}/partial/new-{os.getpid()}-{os.urandom(4).hex()}"
        descriptor = os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with disk_errors.named("cannot store what was read", store.blobs):
            yield descriptor
    finally:
        os.close(descriptor)
        if named is not None:
            os.unlink(named)


def give_name(descriptor: int, path: str) -> None:
    """Let a nameless file, complete and synced, be `path`; nothing where that is there."""
    try:
        # Only with a directory given does Python say AT_SYMLINK_FOLLOW; the name is absolute anyway.
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        pass


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; RootlessError that says what to do where there is no room."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise disk_errors.failed("cannot store the layer", error, os.readlink(f"/proc/self/fd/{descriptor}")) from error
