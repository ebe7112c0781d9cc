"""Bind mounts opened before the container's first process is made, where its root could not.

With ids of its own a container's root may have no right to a source that its maker has (Podman's
keep-id), and no container can map a mount's ids. Whoever makes it with capabilities opens the
mounts, and the container's process attaches them.
"""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.linux import mount as m
from rootless.oci.identity import Maps
from rootless.record import TYPE_CHECKING
from rootless.runtime import namespaces
from rootless.runtime.steps import Bind

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.steps import Step

# More descriptors than this are left to the container's process to open.
_MOST = 256


def open_binds(plan: list[Step], spec: dict[str, Any], maps: Maps) -> list[Step]:
    """`plan` with its binds opened, and mapped where that is asked. What we may not open the
    container may try itself; what cannot be mapped is NotSupported."""
    entries = {entry["destination"]: entry for entry in spec.get("mounts") or []}
    count = sum(isinstance(step, Bind) for step in plan)
    found: list[Step] = []
    for step in plan:
        if isinstance(step, Bind) and (step.options.idmap or count <= _MOST):
            step = _opened(step, entries.get(step.guest_path) or {}, maps)
        found.append(step)
    return found


def _opened(step: Bind, entry: dict[str, Any], maps: Maps) -> Bind:
    kind = step.options.idmap
    plain = step._replace(options=step.options._replace(idmap=""))
    try:
        fd = plain.open()
    except OSError:
        return step
    if kind:
        _map(fd, step, entry, maps, recursive=kind == "ridmap")
    return step._replace(fd=fd)


def _map(fd: int, step: Bind, entry: dict[str, Any], maps: Maps, *, recursive: bool) -> None:
    uid = namespaces.id_map("uid", entry["uidMappings"]) if entry.get("uidMappings") else maps.uid
    gid = namespaces.id_map("gid", entry["gidMappings"]) if entry.get("gidMappings") else maps.gid
    user = _user_namespace(uid, gid)
    flags = m.AT_EMPTY_PATH | (m.AT_RECURSIVE if recursive else 0)
    try:
        m.mount_setattr(fd, "", flags, m.MOUNT_ATTR_IDMAP, 0, 0, user)
    except OSError as error:
        raise NotSupported(
            f"{step.host_path} cannot be mounted with other ids at {step.guest_path}: {error.strerror}",
            hint="that takes rights over its file system (real root, or a file system mounted in this "
            "user namespace), and a file system that can do it",
        ) from None
    finally:
        os.close(user)


def _user_namespace(uid: str, gid: str) -> int:
    """A descriptor of a new user namespace with these maps, which nobody lives in."""
    from rootless.linux.namespace import CLONE_NEWUSER
    from rootless.runtime.clone import clone

    read_end, write_end = os.pipe()
    pid = clone(CLONE_NEWUSER)
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    try:
        namespaces.write_map(pid, "uid", uid)
        namespaces.write_map(pid, "gid", gid)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)
