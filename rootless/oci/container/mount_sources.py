"""Bind mounts opened before the container's first process is made, where its root could not.

With ids of its own a container's root may have no right to a source that its creator has (Podman's keep-id), and
no container can map the ids of a mount that is not its own. A creator with capabilities opens the mounts, and
the init attaches them.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.oci.container.user_namespace import Maps
from rootless.record import TYPE_CHECKING
from rootless.runtime import namespaces
from rootless.runtime.mounts.bind import Bind

if TYPE_CHECKING:
    from rootless.runtime.mounts.idmap import MountIdMap
    from rootless.runtime.mounts.steps import Step

# More descriptors than this are left to the container's process to open.
_MOST = 256


def open_binds(plan: list[Step], maps: Maps | None) -> list[Step]:
    """`plan` with its binds opened, and mapped where that is asked. What we may not open the
    container may try itself; what cannot be mapped is NotSupported. Without `maps` the container has
    our own user namespace, and opens itself what is not to be mapped."""
    count = sum(isinstance(step, Bind) for step in plan)
    found: list[Step] = []
    for step in plan:
        if isinstance(step, Bind) and (step.idmap or (maps is not None and count <= _MOST)):
            step = _opened(step, maps)
        found.append(step)
    return found


def _opened(step: Bind, maps: Maps | None) -> Bind:
    if step.idmap is not None:
        wanted = _with_namespace(step.idmap, maps)
        try:
            return step._replace(fd=step._replace(idmap=wanted).open())
        finally:
            os.close(wanted.fd)
    try:
        return step._replace(fd=step.open())
    except OSError:
        return step


def _with_namespace(wanted: MountIdMap, maps: Maps | None) -> MountIdMap:
    from rootless.runtime.mounts.idmap import user_namespace

    if wanted.uid:
        return wanted._replace(
            fd=user_namespace(namespaces.id_map("uid", wanted.uid), namespaces.id_map("gid", wanted.gid))
        )
    if maps is None:
        raise InvalidInput(
            f"config.json: {wanted.name}.options: {wanted.word!r} without uidMappings and gidMappings means those "
            "of the container's new user namespace, and it has none"
        )
    return wanted._replace(fd=user_namespace(maps.uid, maps.gid))
