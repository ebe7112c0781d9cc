"""What takes how much room: `system df`."""

from __future__ import annotations

from typing import NamedTuple

from rootless.engine.files.volumes import volumes
from rootless.engine.images.listing import created
from rootless.engine.images.lookup import familiar
from rootless.engine.images.removal import users
from rootless.engine.state import listing
from rootless.storage import images
from rootless.storage import volumes as stored_volumes
from rootless.storage.maintenance import usage
from rootless.storage.maintenance.usage import DiskUsage
from rootless.storage.store import Store


class ImageUse(NamedTuple):
    """An image in `system df -v`; times in seconds since 1970."""

    names: tuple[str, ...]
    id: str
    created: float
    size: int
    shared_size: int
    containers: int


class ContainerUse(NamedTuple):
    """A container in `system df -v`, as `ps` sees it, with the number of its volumes and the bytes of its layer."""

    row: listing.ContainerRow
    volumes: int
    size: int


class VolumeUse(NamedTuple):
    """A volume in `system df -v`."""

    name: str
    links: int
    size: int


class Details(NamedTuple):
    """`system df -v`."""

    images: list[ImageUse]
    containers: list[ContainerUse]
    volumes: list[VolumeUse]


def totals(store: Store) -> dict[str, DiskUsage]:
    """`system df`: "images", "containers", "volumes", "blobs". The caller has joined the session."""
    return usage.disk_usage(store)


def details(store: Store) -> Details:
    """`system df -v`. The caller has joined the session."""
    return Details(_images(store), _containers(store), _volumes(store))


def _images(store: Store) -> list[ImageUse]:
    from rootless.storage.layers import layers

    known = images.list_images(store)
    shares: dict[str, int] = {}
    for image in known:
        for diff_id in image.diff_ids:
            shares[diff_id] = shares.get(diff_id, 0) + 1
    found = []
    for image in known:
        shared = sum(layers.size(store, diff_id) for diff_id in image.diff_ids if shares[diff_id] > 1)
        names = tuple(familiar(name) for name in image.names)
        using = sum(map(len, users(store, image)))
        found.append(ImageUse(names, image.id, created(image), image.size, shared, using))
    return found


def _containers(store: Store) -> list[ContainerUse]:
    return [
        ContainerUse(
            row,
            sum(1 for mount in row.record["mounts"] if mount.get("volume")),
            usage.container_bytes(store, row.id),
        )
        for row in listing.rows(store, every=True)
    ]


def _volumes(store: Store) -> list[VolumeUse]:
    used = volumes.users(store)
    return [
        VolumeUse(volume.name, len(used.get(volume.name, ())), usage.tree_bytes(volume.path))
        for volume in stored_volumes.list_volumes(store)
    ]
