"""Layers that a power cut may have damaged are unpacked again, and new ones brought to the disk."""

from __future__ import annotations

import os
import sys
from typing import Any

from rootless import inherited
from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotFound
from rootless.image import manifest
from rootless.image.manifest import Manifest
from rootless.image.progress import silent
from rootless.image.transfer.layers import Layer, fetch_layers
from rootless.runtime.descriptors import keep_only
from rootless.runtime.squashfs.serve import not_installed
from rootless.storage import blobs, squashed
from rootless.storage.layers import layers
from rootless.storage.store import Store
from rootless.words import plain


def restore(store: Store, record: ContainerConfig) -> None:
    """`restore_image` of a container's. NotSupported where all that there is of the image is a file that cannot be mounted here."""
    unmounted = store.shared and not squashed.can_be_mounted() and squashed.find(store, record["diff_ids"])
    try:
        restore_image(store, record["image_id"], record["image"], record["diff_ids"])
    except NotFound:
        if unmounted:
            raise not_installed() from None
        raise
    if unmounted:
        sys.stderr.write(
            f"rootless: without squashfuse_ll the image was unpacked to {plain(store.root)}, for this machine alone\n"
            "hint: `rootless helpers install squashfuse`; as administrator: apt install squashfuse\n"
        )


def restore_image(store: Store, image_id: str, name: str, diff_ids: list[str] | tuple[str, ...]) -> None:
    """Unpack the missing and the doubtful layers of an image, which people call `name`, from their blobs.

    Joins the session. NotFound where a blob is gone too: then only a pull, or a build, helps.
    """
    from rootless.engine.images import from_store

    image = from_store.owned(store, image_id, "its layers are needed here", name=name)
    document = blobs.read(store, str(image.manifest["digest"]))
    parsed = manifest.parse(document, str(image.manifest.get("mediaType", "")))
    gone = NotFound(
        f"the layers of {name or image_id[:19]} are gone",
        hint=f"pull the image again: rootless pull {name}; or build it again, where it was built here",
    )
    if not isinstance(parsed, Manifest):
        raise gone
    stack = [Layer(*pair) for pair in zip(parsed.layers, diff_ids, strict=True)]
    # A layer that was made here and never pushed has no blob.
    if any(not blobs.has(store, layer.descriptor.digest) and not layers.has(store, layer.diff_id) for layer in stack):
        raise gone
    fetch_layers(store, stack, registry=None, progress=silent)


def sync_in_background(store: Store) -> None:
    """Bring freshly unpacked layers to the disk in a process of its own: it may take seconds.

    Where it is killed, or never gets that far, they count as doubtful after the next boot.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        if os.fork() == 0:
            _settle(store)
    finally:
        os._exit(0)


def _settle(store: Store) -> Any:
    os.setsid()
    inherited.leave_streams()
    keep_only(())
    layers.sync(store)
