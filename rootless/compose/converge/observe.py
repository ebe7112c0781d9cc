"""What the store has of a project, for the plan. What `compose ps` does not need is imported where it is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootless.compose.plan import names
from rootless.compose.plan.observed import Container, Network, Observed
from rootless.engine.state import compose_project, listing
from rootless.errors import NotFound, RootlessError
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.compose.load.project import Project


def project_rows(store: Store, project: str, *, every: bool = True) -> list[listing.ContainerRow]:
    """The project's containers, newest first; `project` "" for those of all projects."""
    said: dict[str, dict[str, str]] = {}
    found = ((row, compose_project.project_of(store, row.record, said)) for row in listing.rows(store, every=every))
    return [row for row, name in found if name and name == (project or name)]


def container(row: listing.ContainerRow) -> Container:
    """One of them, as the plan knows it."""
    record = row.record
    mounted = {str(m["target"]): m["volume"] for m in record["mounts"] if m["type"] == "volume"}
    anonymous = {str(m["target"]): m["volume"] for m in record["mounts"] if m["type"] == "volume" and "anonymous" in m["options"]}
    return Container(
        row.id, row.name, record["labels"], row.status.state, record["image_id"], row.status.exit_code, row.health,
        listing.networks(record), mounted, anonymous, created_at=record["created_at"],
    )  # fmt: skip


def observe(store: Store, name: str, project: Project | None = None) -> Observed:
    """What there is of the project of that name; with `project`, of its images, too."""
    from rootless.compose.plan.images import hook_images
    from rootless.engine.images import lookup
    from rootless.engine.networks import records
    from rootless.storage import volumes

    found = [container(row) for row in project_rows(store, name)]
    networks = {network["name"]: Network(network["id"], network["labels"]) for network in records.every(store)}
    there = {volume.name: volume.labels for volume in volumes.list_volumes(store)}
    known: dict[str, str] = {}
    tagged: dict[str, float] = {}
    wanted = [] if project is None else [
        image for service, config in project.services.items() for image in (names.image_name(project, service), *hook_images(config))
    ]  # fmt: skip
    for image in wanted:
        try:
            known[image] = lookup.find(store, image, all_names=False).id
        except (NotFound, RootlessError):
            continue
        tagged[image] = _tagged(store, image)
    return Observed(found, networks, there, known, tagged)


def _tagged(store: Store, image: str) -> float:
    """When the image got its name; the epoch where it is meant by its id."""
    from rootless.image import reference
    from rootless.storage.quoted_names import quoted

    try:
        path = f"{store.images}/names/{quoted(reference.parse(image).canonical)}"
        return os.lstat(path).st_mtime
    except (OSError, RootlessError):
        return 0.0
