"""Volumes as the API lists them."""

from __future__ import annotations

from typing import Any

from rootless.engine.views import volume
from rootless.storage import volumes
from rootless.storage.store import Store


def rows(store: Store) -> list[dict[str, Any]]:
    """All volumes, as `inspect` has them."""
    return [volume.inspect(store, each.name) for each in volumes.list_volumes(store)]
