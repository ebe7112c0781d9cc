"""Garbage collection: blobs and layers that no image and no container refers to any more.

Safe beside a running pull: that holds `store.lease()` (shared), collecting wants it exclusively
and is put off rather than waiting.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless.errors import RootlessError
from rootless.storage import blobs, images, indexes, squashed, staging, volumes
from rootless.storage.containers import containers
from rootless.storage.layers import layers, step_names, steps
from rootless.storage.store import Store, open_lock

_YOUNG_S = 24 * 3600.0
"""What of a store for several machines is younger may be another one's work."""


class Collected(NamedTuple):
    """What one collection did; `postponed`: another command holds a lease, so nothing was done."""

    blobs: int
    layers: int
    freed_bytes: int
    postponed: bool


def collect(store: Store, *, wait: bool = False) -> Collected:
    """Delete what nothing refers to. Wants the session joined (layers hold files of all ids).

    An image refers to its manifest's, configuration's and layers' blobs and its diff ids; a
    container to "diff_ids" and "image_id" of its config.json (images removed under it keep
    its layers), a step of the build cache to the layer that it has become. A partial download goes too, unless it is being written.
    """
    with alone(store, wait=wait) as free:
        return collect_alone(store) if free else Collected(0, 0, 0, True)


@contextmanager
def alone(store: Store, *, wait: bool = False) -> Iterator[bool]:
    """While nobody else looks up or adds what is stored: False where a command that does holds a lease (and `wait` is not said)."""
    fd = open_lock(store.root + "/gc.lock")
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(fd)


def collect_alone(store: Store) -> Collected:
    """`collect`, for a caller in `alone`."""
    wanted_blobs: set[str] = set()
    wanted_layers: set[str] = set()
    for image in images.list_images(store):
        wanted_blobs.update((image.id, *(str(image.manifest.get(key)) for key in ("digest", "topDigest")), *image.layers))
        wanted_layers.update(image.diff_ids)
    indexes.sweep(store)
    for index in indexes.named(store).values():
        wanted_blobs.update((index.id, *(entry["digest"] for entry in index.entries)))
    for container_id in containers.ids(store):
        try:
            config = containers.config(store, container_id, {"diff_ids": [str]})
        except RootlessError:
            continue
        wanted_layers.update(config.get("diff_ids") or ())
        for mount in config.get("mounts") or ():  # --mount type=image
            wanted_layers.update(mount.get("diff_ids") or ())
    wanted_layers |= step_names.layers_of_steps(store)
    young = store.now() - _YOUNG_S if store.shared else 0.0
    freed = gone_blobs = gone_layers = 0
    for digest in list(blobs.digests(store)):
        if digest not in wanted_blobs and not _may_be_wanted_elsewhere(store, digest, young):
            freed += blobs.size(store, digest)
            blobs.remove(store, digest)
            gone_blobs += 1
    if store.shared:
        every = [image.diff_ids for image in images.list_images(store)]
        freed += squashed.sweep(store, every, young)
    for diff_id in layers.list_layers(store):
        if diff_id not in wanted_layers:
            freed += layers.size(store, diff_id)
            layers.remove(store, diff_id)
            gone_layers += 1
    freed += _drop_partial(store, young)
    layers.sweep(store)
    steps.sweep(store)
    volumes.sweep(store)
    staging.sweep(store)
    return Collected(gone_blobs, gone_layers, freed, False)


def _may_be_wanted_elsewhere(store: Store, digest: str, young: float) -> bool:
    """Of a store that other machines have, too: its lock is this one's, and a pull there refers to its blobs in the end."""
    if not store.shared:
        return False
    try:
        return not squashed.is_older(blobs.path(store, digest), young)
    except FileNotFoundError:
        return True


def _drop_partial(store: Store, young: float) -> int:
    freed = 0
    base = f"{store.blobs}/partial"
    try:
        entries = os.listdir(base)
    except FileNotFoundError:
        return 0
    for entry in entries:
        try:
            fd = os.open(f"{base}/{entry}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if store.shared and os.fstat(fd).st_mtime >= young:
                continue  # there are mounts whose locks other machines do not see
            freed += os.fstat(fd).st_size
            os.unlink(f"{base}/{entry}")
        except OSError:
            pass
        finally:
            os.close(fd)
    return freed
