"""A container's root from its image's layers: which driver, which directories.

Mounts nothing itself (rootless.runtime.mounts.rootfs does, in the container's mount namespace). Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import Corrupt, NotFound
from rootless.linux.process import boot_id
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.layers.layers import directory as layer_directory
from rootless.storage.layers.layers import is_synced
from rootless.storage.store import Store


def prepare(
    store: Store,
    container_dir: str,
    diff_ids: tuple[str, ...] | list[str],
    *,
    readonly: bool = False,
    driver: str | None = None,
) -> Rootfs:
    """The root of the container in `container_dir`, its own directories made where missing.

    `diff_ids` bottom first, as in an image's configuration. Idempotent: a stopped container gets
    back what it wrote. NotFound if a layer is not there, Corrupt if a power cut may have damaged
    one; both: unpack it again (the engine does). Wants the session joined. `driver` overrides
    `probe`.
    """
    lower = lower_directories(store, diff_ids)
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
    merged = container_dir + "/merged"
    for own in (work, merged):
        try:
            os.mkdir(own, 0o700)
        except FileExistsError:
            pass
    return Rootfs(driver, tuple(lower), upper, work, merged, readonly)


def lower_directories(store: Store, diff_ids: tuple[str, ...] | list[str]) -> list[str]:
    """The layers' directories, topmost first, as far down as anything shows; NotFound, Corrupt.

    A layer that an image has several times (BuildKit's empty ones, mostly) counts where it is highest: all
    that it adds and hides it adds and hides there again, so nothing of the lower one is seen. The kernel
    takes a directory only once.
    """
    booted = boot_id()
    lower: list[str] = []
    seen: set[str] = set()
    for diff_id in reversed(diff_ids):
        if diff_id in seen:
            continue
        seen.add(diff_id)
        layer = layer_directory(store, diff_id)
        lower.append(layer + "/fs")
        if not is_synced(layer, booted):
            if not os.path.isdir(layer):
                raise NotFound(f"layer {diff_id[:19]} is missing", hint="`rootless pull` the image again")
            raise Corrupt(
                f"layer {diff_id[:19]} was not written out before the machine went down",
                hint="`rootless pull` the image again",
            )
        try:
            # overlayfs does not look at the top of a lower directory for this.
            if os.getxattr(lower[-1], "user.overlay.opaque") == b"y":
                break
        except OSError:
            pass
    return lower


def probe(store: Store) -> str:
    """The storage driver of this store; see rootless.storage.drivers.choose for the ladder."""
    from rootless.storage.drivers.choose import probed

    return probed(store)
