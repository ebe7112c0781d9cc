"""Image files, a squashfs or a SIF file at a path of the user's, as a container's root and in it: nothing is unpacked,
and what the container writes is in its own directory. Imported where there is one.
"""

from __future__ import annotations

import os
import sys

from rootless.engine.files.mounts import bind_sources
from rootless.engine.options.mount_config import Mount
from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotSupported
from rootless.record import TYPE_CHECKING
from rootless.runtime.descriptors import close_all
from rootless.runtime.mounts.bind import EXACT
from rootless.runtime.mounts.mount_parts import IMAGE_FILE, SUBPATH
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.runtime.squashfs import connect, header
from rootless.session import session
from rootless.storage import packs
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


def check(record: ContainerConfig) -> None:
    """At create: NotFound where the file is gone, NotSupported for ids that it cannot be shown with."""
    path = record["rootfs"]
    keep_id = record["userns"].startswith("keep-id")
    if not keep_id and (record["userns"] not in ("", "host", "private") or record.get("id_map")):
        raise NotSupported(
            f"an image file cannot be shown with other ids (--userns={record['userns'] or 'of the pod'})",
            hint="leave --userns away: an image file's owners are those that the session has",
        )
    found = _find(path)
    if found.ids == 1 and not found.rootless:
        return
    if keep_id and record.get("id_map"):
        # One owner, root, becomes the user, as with enroot; others would be each another than they are.
        raise NotSupported(
            f"{path} has other users' files than root's, which a pod with --userns=keep-id cannot show as they are",
            hint="make it with all files root's: mksquashfs -all-root",
        )
    if not keep_id and not session.join().single_id:
        return
    if found.rootless:
        told, otherwise = "has no file of root's: its files are", ""
    elif keep_id:
        told = f"has files of {found.ids} owners: with --userns=keep-id root's are yours, and those of other users are"
        otherwise = "be root in the container (srun's --container-remap-root), or "
    else:
        told, otherwise = f"has files of {found.ids} owners, and you have one id: those of other users are", ""
    print(
        f"rootless: warning: {path} {told} shown as nobody's and cannot be changed\n"
        f"hint: {otherwise}make it with all files root's: mksquashfs -all-root",
        file=sys.stderr,
    )


def has_other_owners(record: ContainerConfig) -> bool:
    """Of a container of an image file, whether its files are not all root's: with keep-id the user is alone in it."""
    found = _find(record["rootfs"])
    return found.ids > 1 or found.rootless


def pin(store: Store, mount: Mount) -> None:
    """At create: a packed tree's name becomes its path. NotFound, InvalidInput where it is no squashfs."""
    if "/" not in mount["source"]:
        mount["source"] = packs.find(store, mount["source"])
    _find(mount["source"], mount.get("offset"))


def oci(mount: Mount) -> dict[str, Any]:
    """The mount for the runtime, at a start."""
    image = at(mount["source"], mount.get("offset"))
    return {
        "destination": mount["target"], "type": IMAGE_FILE, "source": image.path, "offset": image.offset,
        SUBPATH: "", EXACT: image.exact,
    }  # fmt: skip


def borrow(record: ContainerConfig) -> tuple[dict[str, int], tuple[int, ...]]:
    """The detached mounts of the image files that the container has in it, by their places, and the connections that keep
    them; the caller's to close. Wants the session joined."""
    trees: dict[str, int] = {}
    connections: list[int] = []
    try:
        for mount in record["mounts"]:
            if mount["type"] == "squashfs":
                borrowed = connect.borrow(at(mount["source"], mount.get("offset")))
                trees[mount["target"]] = borrowed.mount
                connections.append(borrowed.connection)
    except BaseException:
        close_all((*trees.values(), *connections))
        raise
    return trees, tuple(connections)


def _find(path: str, offset: int | None = None) -> header.Squashfs:
    fd = connect.open_image(at(path, offset))
    try:
        return header.find(fd, path, offset)
    finally:
        os.close(fd)


def at(path: str, offset: int | None = None) -> header.ImageFile:
    """The image file at a path of the user's, whose links are followed once."""
    exact = bind_sources.follow(path)
    return header.ImageFile(exact or path, exact is not None, offset)


def prepare(record: ContainerConfig, directory: str) -> Rootfs:
    """The container's root; what it has written is in `directory`. Wants the session joined."""
    paths = {name: f"{directory}/{name}" for name in ("upper", "work", "merged")}
    for name, path in paths.items():
        try:
            os.mkdir(path, 0o755 if name == "upper" else 0o700)
        except FileExistsError:
            pass
    return Rootfs(
        "overlay", (), paths["upper"], paths["work"], paths["merged"], record["read_only"], image=at(record["rootfs"])
    )
