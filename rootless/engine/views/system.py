"""What the whole installation looks like: `info`, `system df`."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from rootless import __version__
from rootless.engine.files import volumes
from rootless.engine.images.listing import created
from rootless.engine.images.named import familiar
from rootless.engine.images.removal import users
from rootless.engine.words import clock
from rootless.errors import RootlessError
from rootless.session import session
from rootless.storage import containers, images, usage
from rootless.storage import volumes as stored_volumes
from rootless.storage.store import Store
from rootless.storage.usage import Usage


def info(store: Store) -> dict[str, Any]:
    """Docker's `info` fields that have a meaning here, and the session's. Starts and creates nothing."""
    states = _states(store)
    here = session.status()
    system = os.uname()
    return {
        "ID": "",
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(images.list_images(store)),
        "Driver": _driver(store),
        "LoggingDriver": "json-file",
        "CgroupDriver": "none",
        "CgroupVersion": "2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "1",
        "KernelVersion": system.release,
        "OperatingSystem": operating_system(),
        "OSType": "linux",
        "Architecture": system.machine,
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "DockerRootDir": store.root,
        "RuntimeDir": store.runtime,
        "Name": system.nodename,
        "ServerVersion": __version__,
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=userns"],
        "Session": {
            "Running": here.running,
            "HolderPid": here.holder_pid,
            "UidMap": [list(part) for part in here.uid_map],
            "GidMap": [list(part) for part in here.gid_map],
            "SingleID": here.single_id,
            "Outdated": here.outdated,
        },
        "Warnings": [f"only your own id is mapped: {here.reason}"] if here.single_id else [],
    }


def _states(store: Store) -> list[str]:
    found = []
    for identifier in containers.ids(store):
        try:
            found.append(containers.status(store, identifier).state)
        except RootlessError:
            continue  # removed while we looked
    return found


def _driver(store: Store) -> str:
    """The driver that was probed; "" before the first container."""
    from rootless.storage import atomic

    try:
        return str(atomic.read_json(store.root + "/driver.json").get("driver", ""))
    except (OSError, ValueError):
        return ""


def operating_system() -> str:
    """PRETTY_NAME of os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("PRETTY_NAME="):
                        return line.partition("=")[2].strip().strip("\"'")
        except OSError:
            continue
    return "Linux"


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
