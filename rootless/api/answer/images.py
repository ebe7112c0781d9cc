"""Images as the API lists them: one row an image, with all its names that pass."""

from __future__ import annotations

from typing import Any

from rootless.engine.images import listing, lookup
from rootless.storage.store import Store


def rows(store: Store, filters: dict[str, list[str]], *, containers: bool = False) -> list[dict[str, Any]]:
    """ImageSummary of each, newest first. `containers`: with the number of containers of each."""
    found: dict[str, dict[str, Any]] = {}
    for row in listing.rows(store, filters=filters):
        image = row.image
        summary = found.get(image.id)
        if summary is None:
            summary = found[image.id] = {
                "Id": image.id,
                "ParentId": "",
                "RepoTags": [],
                "RepoDigests": lookup.repo_digests(image),
                "Created": int(row.created),
                "Size": image.size,
                "SharedSize": -1,
                "VirtualSize": image.size,
                "Labels": listing.labels(image),
                "Containers": -1,
            }
            if containers:
                from rootless.engine.images import removal

                summary["Containers"] = sum(map(len, removal.users(store, image)))
        if row.repository != listing.NONE and row.tag != listing.NONE:
            summary["RepoTags"].append(f"{row.repository}:{row.tag}")
    return sorted(found.values(), key=lambda summary: -int(summary["Created"]))
