"""GET /system/df: the fields of before API 1.52."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.api.answer import containers, images, volumes
from rootless.build.cache import usage as cache_usage
from rootless.engine.options import clock
from rootless.engine.views import system
from rootless.storage.store import Store


def document(store: Store, kinds: list[str]) -> dict[str, Any]:
    """The parts of `kinds`, or all. The caller has joined the session."""
    found: dict[str, Any] = {}
    details = system.details(store)
    for kind in kinds or KINDS:
        found |= _PARTS[kind](store, details)
    return found


def _images(store: Store, details: system.Details) -> dict[str, Any]:
    uses = {one.id: one for one in details.images}
    rows = [
        {**row, "SharedSize": uses[row["Id"]].shared_size, "Containers": uses[row["Id"]].containers}
        for row in images.rows(store, {})
        if row["Id"] in uses
    ]
    return {"LayersSize": system.totals(store)["images"].size, "Images": rows}


def _containers(store: Store, details: system.Details) -> dict[str, Any]:
    return {"Containers": [{**containers.summary(store, one.row), "SizeRw": one.size} for one in details.containers]}


def _volumes(store: Store, details: system.Details) -> dict[str, Any]:
    uses = {one.name: {"Size": one.size, "RefCount": one.links} for one in details.volumes}
    return {"Volumes": [{**row, "UsageData": uses[row["Name"]]} for row in volumes.rows(store) if row["Name"] in uses]}


def _cache(store: Store, _: system.Details) -> dict[str, Any]:
    return {
        "BuildCache": [
            {
                "ID": entry.id,
                "Type": entry.kind,
                "Description": entry.name,
                "InUse": False,
                "Shared": entry.shared,
                "Size": entry.size,
                "CreatedAt": entry.created or clock.from_nanoseconds(int(entry.used * 1e9)),
                "LastUsedAt": clock.from_nanoseconds(int(entry.used * 1e9)),
                "UsageCount": 1,
            }
            for entry in cache_usage.entries(store)
        ]
    }


_PARTS: dict[str, Callable[[Store, system.Details], dict[str, Any]]] = {
    "container": _containers,
    "image": _images,
    "volume": _volumes,
    "build-cache": _cache,
}
KINDS = tuple(_PARTS)
