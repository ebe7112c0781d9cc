"""A container's root from its image's layers: which driver, which directories.

Mounts nothing itself (rootless.runtime.mounts.rootfs does, in the container's mount namespace). Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import NotFound
from rootless.record import TYPE_CHECKING
from rootless.runtime import owner_record
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.layers.lower import lower_directories as lower_directories
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.runtime.squashfs.header import ImageFile


def prepare(
    store: Store,
    container_dir: str,
    diff_ids: tuple[str, ...] | list[str],
    *,
    readonly: bool = False,
    driver: str | None = None,
    file: ImageFile | None = None,
) -> Rootfs:
    """The root of the container in `container_dir`, its own directories made where missing.

    `diff_ids` bottom first, as in an image's configuration. Idempotent: a stopped container gets
    back what it wrote. NotFound if a layer is not there, Corrupt if a power cut may have damaged
    one; both: unpack it again (the engine does). Wants the session joined. `driver` overrides
    `probe`. `file` has all layers in it, where they are not in the store.
    """
    try:
        lower = lower_directories(store, diff_ids)
    except NotFound:
        if driver is not None:
            raise
        if file is None and store.shared:
            from rootless.storage import squashed

            file = squashed.find(store, diff_ids)
            if file is not None and not squashed.can_be_mounted():
                raise  # the engine unpacks the layers
            if file is not None:
                squashed.note_use(file)
        if file is None:
            raise
        return _from_file(file, container_dir, readonly=readonly)
    if driver is None:
        # What the container wrote before is where the driver of that time put it.
        driver = "directory" if os.path.isdir(container_dir + "/rootfs") else probe(store)
    if driver == "directory":
        from rootless.storage.drivers.vfs import copy_layers

        path = container_dir + "/rootfs"
        copy_layers(lower, path)
        return Rootfs("directory", (), "", "", path, readonly)
    if not lower:
        # An image may have no layers at all; the kernel wants a directory.
        lower = [container_dir + "/lower"]
        os.makedirs(lower[0], mode=0o755, exist_ok=True)
    upper, work = container_dir + "/upper", container_dir + "/work"
    try:
        os.mkdir(upper, 0o700)
        # The top of the merged tree is the upper's: it has to look as the image's does.
        top = os.stat(lower[0])
        if top.st_uid or top.st_gid:
            os.chown(upper, top.st_uid, top.st_gid)
        os.chmod(upper, top.st_mode & 0o7777)
    except FileExistsError:
        pass
    if driver == "fuse-overlayfs":
        for layer in lower:
            _say_nothing(layer)
    merged = container_dir + "/merged"
    for own in (work, merged):
        try:
            os.mkdir(own, 0o700)
        except FileExistsError:
            pass
    return Rootfs(driver, tuple(lower), upper, work, merged, readonly)


def _say_nothing(layer: str) -> None:
    """Take the record of its owner from a layer's top, where it has one (owners.json has it still). fuse-overlayfs takes it for
    a sign that it is to show all files of the layer as whose they say they are, who are nobody here."""
    if owner_record.NAME in os.listxattr(layer):
        os.removexattr(layer, owner_record.NAME)


def _from_file(image: ImageFile, container_dir: str, *, readonly: bool) -> Rootfs:
    """The root of an image whose layers are not on this machine, over the one file that they were made."""
    own = [f"{container_dir}/{name}" for name in ("upper", "work", "merged")]
    for path, mode in zip(own, (0o755, 0o700, 0o700), strict=True):
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            pass
    return Rootfs("overlay", (), own[0], own[1], own[2], readonly, image=image)


def probe(store: Store) -> str:
    """The storage driver of this store; see rootless.storage.drivers.choose for the ladder."""
    from rootless.storage.drivers.choose import probed

    return probed(store)
