"""How much disk things take: for `system df`, `ps -s`, `inspect -s`."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.errors import RootlessError
from rootless.storage import blobs, images, packs, shape, squashed, volumes
from rootless.storage.containers import containers
from rootless.storage.layers import layers
from rootless.storage.store import Store


class DiskUsage(NamedTuple):
    """One line of `system df`; bytes."""

    total: int
    active: int
    size: int
    reclaimable: int


def tree_bytes(path: str) -> int:
    """Sizes of all regular files below `path`, each inode once; 0 if it is not there.

    Unreadable directories count as empty: join the session to see all.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as listing:
                for entry in listing:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1:
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_size
        except OSError:
            continue
    return total


def container_bytes(store: Store, container_id: str) -> int:
    """What the container has written: its upper directory, or its whole copy."""
    base = containers.directory(store, container_id)
    return tree_bytes(base + "/upper") + tree_bytes(base + "/rootfs")


def disk_usage(store: Store) -> dict[str, DiskUsage]:
    """ "images", "containers", "volumes", "blobs", and where there are any "image files" and "packs" -> Usage. Reads only; wants the
    session for exact sizes."""
    known = images.list_images(store)
    used_images: set[str] = set()
    used_layers: set[str] = set()
    mounted: set[str] = set()
    running = 0
    container_size = idle_size = 0
    ids = containers.ids(store)
    for container_id in ids:
        try:
            config = containers.config(store, container_id, {"image_id": str, "diff_ids": [str]})
        except RootlessError:
            config = {}  # gone, or damaged
        used_images.add(str(config.get("image_id", "")))
        used_layers.update(config.get("diff_ids") or ())
        if shape.fits(config.get("mounts"), [{"volume": str}]):
            mounted.update(mount["volume"] for mount in config["mounts"] if mount["volume"])
        written = container_bytes(store, container_id)
        container_size += written
        if containers.status(store, container_id).state in ("running", "paused"):
            running += 1
        else:
            idle_size += written
    sizes = {diff_id: layers.size(store, diff_id) for diff_id in layers.list_layers(store)}
    unused = sum(size for diff_id, size in sizes.items() if diff_id not in used_layers)
    volume_sizes = {volume.name: tree_bytes(volume.path) for volume in volumes.list_volumes(store)}
    idle_volumes = sum(size for name, size in volume_sizes.items() if name not in mounted)
    stored = sum(_blob_size(store, digest) for digest in blobs.digests(store))
    files, file_bytes = squashed.total(store)
    packed = packs.names(store)
    found = {
        "images": DiskUsage(
            len(known), sum(1 for image in known if image.id in used_images), sum(sizes.values()), unused
        ),
        "containers": DiskUsage(len(ids), running, container_size, idle_size),
        "volumes": DiskUsage(
            len(volume_sizes),
            len(mounted.intersection(volume_sizes)),
            sum(volume_sizes.values()),
            idle_volumes,
        ),
        "build cache": DiskUsage(0, 0, 0, 0),
        "blobs": DiskUsage(sum(1 for _ in blobs.digests(store)), 0, stored, 0),
    }
    # Rows of ours, where there are any: a script that reads Docker's finds those that it knows.
    if files:
        found["image files"] = DiskUsage(files, 0, file_bytes, 0)
    if packed:
        found["packs"] = DiskUsage(len(packed), 0, sum(packed.values()), 0)
    return found


def _blob_size(store: Store, digest: str) -> int:
    try:
        return os.stat(blobs.path(store, digest)).st_size
    except FileNotFoundError:
        return 0
