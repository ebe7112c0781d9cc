"""Volumes as the API lists them."""

from __future__ import annotations

from typing import Any

from rootless.engine.views import volume as view
from rootless.storage import volumes
from rootless.storage.store import Store


def document(store: Store, name: str) -> dict[str, Any]:
    """Volume; labels and options are objects also where there are none, as the schema of the API has it. NotFound."""
    found = view.inspect(store, name)
    return {**found, "Labels": found["Labels"] or {}, "Options": found["Options"] or {}}


def rows(store: Store) -> list[dict[str, Any]]:
    """All volumes."""
    return [document(store, each.name) for each in volumes.list_volumes(store)]
