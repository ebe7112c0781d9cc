"""What takes how much room: `system df`."""

from __future__ import annotations

from typing import NamedTuple

from rootless.engine.files import volumes
from rootless.engine.images.listing import created
from rootless.engine.images.named import familiar
from rootless.engine.images.removal import users
from rootless.engine.words import clock
from rootless.errors import RootlessError
from rootless.storage import containers, images, usage
from rootless.storage import volumes as stored_volumes
from rootless.storage.store import Store
from rootless.storage.usage import Usage


class ImageUse(NamedTuple):
    """An image in `system df -v`; times in seconds since 1970."""

    names: tuple[str, ...]
    id: str
    created: float
    size: int
    shared_size: int
    containers: int


class ContainerUse(NamedTuple):
    """A container in `system df -v`."""

    id: str
    name: str
    image: str
    command: str
    volumes: int
    size: int
    created: float
    state: str


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


def totals(store: Store) -> dict[str, Usage]:
    """`system df`: "images", "containers", "volumes", "blobs". The caller has joined the session."""
    return usage.disk_usage(store)


def details(store: Store) -> Details:
    """`system df -v`. The caller has joined the session."""
    return Details(_images(store), _containers(store), _volumes(store))


def _images(store: Store) -> list[ImageUse]:
    from rootless.storage import layers

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
    from rootless.storage.names import all_names

    names = all_names(store)
    found = []
    for identifier in containers.ids(store):
        try:
            record = containers.config(store, identifier)
            state = containers.status(store, identifier).state
        except RootlessError:
            continue
        command = " ".join([*record.get("entrypoint", ()), *record.get("cmd", ())])
        mounted = sum(1 for mount in record.get("mounts", ()) if mount.get("volume"))
        found.append(
            ContainerUse(
                identifier,
                names.get(identifier, identifier[:12]),
                str(record.get("image", "")),
                command,
                mounted,
                usage.container_bytes(store, identifier),
                clock.to_nanoseconds(record["created_at"]) / 1e9,
                state,
            )
        )
    return found


def _volumes(store: Store) -> list[VolumeUse]:
    used = volumes.users(store)
    return [
        VolumeUse(volume.name, len(used.get(volume.name, ())), usage.tree_bytes(volume.path))
        for volume in stored_volumes.list_volumes(store)
    ]
