"""The volumes that a new container mounts are made, the images looked up. Imported where there are any."""

from __future__ import annotations

from rootless.engine.state.config import ContainerConfig
from rootless.engine.state.events import events
from rootless.storage import volumes
from rootless.storage.store import Store


def make(store: Store, record: ContainerConfig) -> None:
    """Create the named volumes that do not exist and the anonymous ones; NotFound for an image that is not there.

    The caller holds a lease on the store.
    """
    for mount in record["mounts"]:
        if mount["type"] == "image":
            from rootless.engine.files.mounts import mount_sources

            mount_sources.pin_image(store, mount)
        if mount["type"] == "squashfs":
            from rootless.engine.files.mounts import image_file

            image_file.pin(store, mount)
    for mount in record["mounts"]:
        if mount["type"] != "volume":
            continue
        asked, labels = mount.pop("volume_options", {}), mount.pop("volume_labels", {})
        if asked:
            from rootless.engine.files.volumes import options

            options.check(asked)
        if mount["volume"]:
            made, new = volumes.ensure(store, mount["volume"], labels=labels, options=asked)
        else:
            made, new = volumes.create(store, None, labels=labels, options=asked, anonymous=True), True
            mount["volume"] = made.name
            mount["options"].append("anonymous")
        if new:
            events.write(store, "volume", "create", made.name, driver="local")
        if made.options or "subpath" in mount:
            mount["resolve"] = True
            mount["copy_up"] = mount["copy_up"] and "subpath" not in mount and _may_be_filled(made.options)


def _may_be_filled(options: dict[str, str]) -> bool:
    """Whether a volume with these options is a directory of the host that a container may write."""
    return bool(options.get("device")) and options.get("type") != "tmpfs" and "ro" not in options.get("o", "").split(",")
