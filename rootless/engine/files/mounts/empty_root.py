"""The root of a pod's infra: an empty directory of its own, in which nothing but mount points comes to be."""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING
from rootless.runtime.mounts.rootfs import Rootfs

if TYPE_CHECKING:
    from rootless.engine.options.userns import IdMap


def prepare(directory: str, id_map: IdMap | None) -> Rootfs:
    """The root, in the container's `directory`; the container's root can make its mount points."""
    path = directory + "/merged"
    os.makedirs(path, mode=0o755, exist_ok=True)
    if id_map:
        os.chown(path, *(_of_root(id_map[kind]) for kind in ("uid", "gid")))
    return Rootfs("directory", (), "", "", path, True)


def _of_root(extents: list[list[int]]) -> int:
    """The id in the session that the container's root, or its group, is."""
    return next((outside for inside, outside, size in extents if inside == 0 and size), 0)
