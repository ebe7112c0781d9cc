"""A container's root and its volumes, made ready to be mounted: for a start, and for who looks at it while
it does not run. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless.engine.state.config import ContainerConfig
from rootless.errors import Corrupt, NotFound
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.drivers import rootfs
from rootless.storage.store import Store


def prepare(store: Store, record: ContainerConfig) -> Rootfs:
    """The container's root, its layers unpacked again where a power cut may have damaged them. The caller
    has joined the session and holds the container's lock."""
    directory = containers.directory(store, record["id"])
    if record.get("infra"):
        from rootless.engine.files.mounts import empty_root

        return empty_root.prepare(directory, record.get("id_map"))
    if record["rootfs"] and record.get("image_file"):
        from rootless.engine.files.mounts import image_file

        return image_file.prepare(record, directory)
    if record["rootfs"]:
        from rootless.engine.files.mounts import bind_sources

        exact = bind_sources.follow(record["rootfs"])
        # Mounted at a place of its own: even the host's / can be a container's root then.
        merged = directory + "/merged"
        os.makedirs(merged, mode=0o700, exist_ok=True)
        return Rootfs("directory", (exact or record["rootfs"],), "", "", merged, record["read_only"], exact=exact is not None)
    if os.path.islink(directory + "/incoming"):  # a copy into it was killed
        from rootless.engine.files import incoming

        incoming.sweep(directory)
    try:
        root = _layers(store, record, directory)
    except (Corrupt, NotFound):
        # A layer that a power cut may have damaged, or that is gone: its blob still has it.
        from rootless.engine.images.repair import restore

        restore(store, record)
        root = _layers(store, record, directory)
    if root.driver != "overlay" and not record.get("id_map") and root.host is None:
        from rootless.storage.drivers import choose

        warning = choose.take_warning(store)
        if warning:
            print(f"rootless: {warning}", file=sys.stderr)
    return root


def _layers(store: Store, record: ContainerConfig, directory: str) -> Rootfs:
    id_map = record.get("id_map")
    if record.get("over_host"):
        from rootless.engine.files.mounts.host_root import over_host

        root = rootfs.prepare(store, directory, record["diff_ids"], readonly=record["read_only"], driver="fuse-overlayfs")
        return over_host(store, root, record)
    if not id_map or session.join().single_id:
        file = None
        if record.get("store_file"):
            from rootless.engine.files.mounts import store_file

            file = store_file.find(record["store_file"])
        return rootfs.prepare(store, directory, record["diff_ids"], readonly=record["read_only"], file=file)
    from rootless.storage.drivers.shifted import prepare_shifted

    return prepare_shifted(
        store, directory, record["diff_ids"], id_map["uid"], id_map["gid"], readonly=record["read_only"]
    )


def resolve_mounts(store: Store, record: ContainerConfig) -> ContainerConfig:
    """The record for this once, in which each mount has what is to be mounted; what `-v` makes is made."""
    if any(mount["type"] == "bind" or "resolve" in mount for mount in record["mounts"]):
        from rootless.engine.files.mounts import mount_sources

        return mount_sources.prepare(store, record)
    return record


def fill_volumes(store: Store, record: ContainerConfig, root: Rootfs) -> None:
    """Give a volume that is used for the first time the image's content at its target, as Docker does."""
    used = [m for m in record["mounts"] if m["type"] == "volume"]
    fresh = [m for m in used if m["copy_up"]]
    id_map = record.get("id_map")
    if not fresh and not (used and id_map):
        return
    from rootless.engine.files.mounts.bind_sources import open_directory
    from rootless.engine.files.volumes.copy_up import fill, unused

    empty = unused(store, used) if id_map else []
    given = id_map if root.driver == "directory" else None
    plain = root._replace(uid_map="", gid_map="") if id_map else root
    bare = fill(store, fresh, plain, given, open_directory, emulated=_emulated(store, record))
    if id_map:
        from rootless.storage.drivers.shifted import give, translate

        for path in empty:
            give(path, id_map["uid"], id_map["gid"])
        if bare and record["userns"].startswith("keep-id"):
            # nobody's in the image: the user's, as Podman's, for keep-id is meant for who is not root
            from rootless.runtime.mounts.rootfs import mounted
            from rootless.runtime.process.passwd import find_user

            with mounted(plain) as root_fd:
                user = find_user(record["user"], root=root_fd)
            for path in bare:
                os.chown(path, translate(user.uid, id_map["uid"]), translate(user.gid, id_map["gid"]))


def _emulated(store: Store, record: ContainerConfig) -> bool:
    """Whether what the container's files say of their owners was written by emulated ids, or by unpacking."""
    from rootless.engine.state import emulated_ids
    from rootless.storage import owner_file

    directory = containers.directory(store, record["id"])
    if owner_file.read(directory).kept:
        return True
    return record.get("ids") not in ("off", "fake", "ids") and emulated_ids.made_so(store, record["diff_ids"], directory)
