"""What is mounted where the record alone does not say it: parts of volumes, volumes with options, images.

The record notes such a mount with `resolve`; each start looks again. Imported where there is one.
"""

from __future__ import annotations

import os
from typing import Any

from rootless.engine.files.mounts import bind_sources, own_directories
from rootless.engine.files.mounts.mount_points import read_only_below
from rootless.engine.files.volumes.options import of_mount
from rootless.engine.options.mount_config import Mount
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotSupported
from rootless.linux.process import boot_id
from rootless.runtime.mounts.bind import EXACT
from rootless.runtime.mounts.mount_parts import IMAGE, SUBPATH
from rootless.storage import volumes
from rootless.storage.layers import layers
from rootless.storage.store import Store


def pin_image(store: Store, mount: Mount) -> None:
    """At create, with a lease on the store: the image's name becomes its id, which keeps its layers."""
    from rootless.engine.images import lookup

    image = lookup.find(store, mount["image"], all_names=False)
    mount["image"], mount["diff_ids"] = image.id, list(image.diff_ids)


def prepare(store: Store, record: ContainerConfig) -> ContainerConfig:
    """At start: what `-v` makes is made, the layers of mounted images are whole; the record for this start,
    in which each mount to be resolved has what the runtime mounts. The caller has joined the session."""
    found: list[Mount] = []
    for recorded in record["mounts"]:
        mount = recorded
        if mount["type"] == "bind":
            mount = bind_sources.resolve(recorded)
            if mount.get("create_source") and not os.path.exists(mount["source"]):
                bind_sources.make(mount)
        if mount["type"] == "image":
            _prepare_image(store, record, mount)
        found.append({**mount, "oci": _oci(store, mount)} if "resolve" in mount else mount)
    hidden = own_directories.below(store, found)
    security = {**record["security"], "mask": [*record["security"]["mask"], *hidden]} if hidden else record["security"]
    return {**record, "mounts": found, "security": security}


def _prepare_image(store: Store, record: ContainerConfig, mount: Mount) -> None:
    from rootless.storage.drivers import rootfs

    if rootfs.probe(store) != "overlay":
        raise NotSupported(
            "an image can be mounted in a container only where the kernel's overlay can be used",
            hint="run `rootless doctor`: it says why not here",
        )
    booted = boot_id()
    if not all(layers.is_synced(layers.directory(store, diff_id), booted) for diff_id in mount["diff_ids"]):
        from rootless.engine.images.repair import restore

        restore(store, {**record, "image": "", "image_id": mount["image"], "diff_ids": mount["diff_ids"]})


def _oci(store: Store, mount: Mount) -> dict[str, Any]:
    """The mount for the runtime; `subpath` travels along, resolved where nobody can change it any more."""
    if mount["type"] == "squashfs":
        from rootless.engine.files.mounts import image_file

        return image_file.oci(mount)
    if mount["type"] == "image":
        from rootless.storage.drivers.rootfs import lower_directories

        lower = lower_directories(store, mount["diff_ids"])
        if not lower:
            raise InvalidInput(f"the image to be mounted at {mount['target']} has no layers: it holds nothing")
        return {
            "destination": mount["target"],
            "type": IMAGE,
            "lower": lower,
            SUBPATH: mount.get("subpath", ""),
        }
    volume = volumes.find(store, mount["volume"])
    kind, source, options = of_mount(volume)
    exact = bind_sources.follow(source) if kind == "bind" and volume.options else None
    access = "ro" if mount["read_only"] or "ro" in options else "rw"
    if access == "ro" and "rbind" in options and read_only_below(mount):
        access = "rro"
    found: dict[str, Any] = {
        "destination": mount["target"],
        "type": kind,
        "source": exact or source,
        "options": [word for word in options if word not in ("ro", "rw")] + [access],
    }
    if exact:
        found[EXACT] = True
    if mount.get("subpath"):
        found[SUBPATH] = mount["subpath"]
    return found
