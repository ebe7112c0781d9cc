"""`volume inspect`: a volume in the shape of Docker's Volume (API v1.51)."""

from __future__ import annotations

from rootless.engine.views.types import gotypes, image
from rootless.errors import InvalidInput, NotFound
from rootless.storage import volumes
from rootless.storage.store import Store


def inspect(store: Store, name: str) -> gotypes.Object:
    """The volume `name`; NotFound also for what could name none."""
    try:
        volume = volumes.find(store, name)
    except (InvalidInput, NotFound):
        raise NotFound(f"get {name}: no such volume", hint="`rootless volume ls` lists them") from None
    return gotypes.build(image.TYPES, "volume.Volume", {
        "CreatedAt": volume.created_at,
        "Driver": "local",
        "Labels": volume.labels or None,
        "Mountpoint": volume.path,
        "Name": volume.name,
        "Options": volume.options or None,
        "Scope": "local",
    })  # fmt: skip
