"""`image inspect`: an image in the shape of Docker's ImageInspect (API v1.51)."""

from __future__ import annotations

from typing import Any

from rootless.engine.images.lookup import familiar, find_for, repo_digests
from rootless.engine.views.types import gotypes
from rootless.engine.views.types import image as image_types
from rootless.errors import InvalidInput, NotFound
from rootless.storage.images import Image
from rootless.storage.store import Store


def inspect(store: Store, text: str, *, platform: str = "") -> gotypes.Object:
    """The image that `text` means; NotFound also for what could name none, or where it is of another platform."""
    try:
        image = find_for(store, text, platform)
    except InvalidInput:
        if platform:
            from rootless.image import platforms

            platforms.parse(platform)
        raise NotFound(f"No such image: {text}") from None
    return gotypes.build(image_types.TYPES, "image.InspectResponse", _fields(store, image))


def _fields(store: Store, image: Image) -> dict[str, Any]:
    from rootless.storage.drivers.choose import remembered

    config = image.config
    return {
        "Id": image.id,
        "RepoTags": [familiar(name) for name in image.names if "@" not in name],
        "RepoDigests": repo_digests(image),
        "Parent": "",
        "Comment": _last_comment(config),
        "Created": config.get("created"),
        "DockerVersion": config.get("docker_version"),
        "Author": config.get("author"),
        "Config": config.get("config") or {},
        "Architecture": config.get("architecture"),
        "Variant": config.get("variant"),
        "Os": config.get("os"),
        "OsVersion": config.get("os.version"),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": remembered(store), "Data": _directories(store, image)},
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        "Descriptor": image.manifest,
    }


def _directories(store: Store, image: Image) -> dict[str, str]:
    """The uppermost layer as overlayfs sees it, and those below; of an image of somebody else's store where that is."""
    if image.published:
        return {"Store": image.published.store}
    paths = [f"{store.layers}/{diff_id.removeprefix('sha256:')}/fs" for diff_id in reversed(image.diff_ids)]
    return {
        name: text
        for name, text in (("LowerDir", ":".join(paths[1:])), ("UpperDir", ":".join(paths[:1])))
        if text
    }


def _last_comment(config: dict[str, Any]) -> str:
    history = config.get("history") or [{}]
    return str(history[-1].get("comment", "")) if isinstance(history[-1], dict) else ""
