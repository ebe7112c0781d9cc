"""Compose projects as the engine knows them: a route of ours. What a container merely says of itself counts for nothing here."""

from __future__ import annotations

from typing import Any

from rootless.api.routes.route import READS, Call, Reply, Route
from rootless.engine.state import compose_project, listing
from rootless.engine.state.config import ContainerConfig
from rootless.words import COMPOSE_LABEL

_LISTS = {"ConfigFiles": "project.config_files", "EnvironmentFiles": "project.environment_file"}


def _own(record: ContainerConfig, said: dict[str, dict[str, str]]) -> dict[str, str]:
    """Its labels without those that its image brought; none of an image that has gone, and may have brought any."""
    image = said.get(record["image_id"])
    return {} if image is None else {key: value for key, value in record["labels"].items() if image.get(key) != value}


def list_all(call: Call) -> Reply:
    """GET /rootless/projects: of each its name, the files that it was made of, their directory, and its containers' ids. Only what
    compose made is of a project: labels that an image brought are not believed (engine/state/compose_project.py)."""
    said: dict[str, dict[str, str]] = {}
    projects: dict[str, dict[str, Any]] = {}
    for row in listing.rows(call.store, every=True):
        name = compose_project.project_of(call.store, row.record, said)
        if not name:
            continue
        labels = _own(row.record, said)
        # The newest container comes first: its files are the ones of the last `up`.
        project = projects.setdefault(name, {
            "Name": name, "Directory": labels.get(f"{COMPOSE_LABEL}project.working_dir", ""), "Containers": [],
            **{key: [word for word in labels.get(COMPOSE_LABEL + label, "").split(",") if word] for key, label in _LISTS.items()},
        })  # fmt: skip
        project["Containers"].append(row.id)
    return Reply([projects[name] for name in sorted(projects)])


ROUTES: tuple[Route, ...] = (Route("GET", "/rootless/projects", list_all, READS),)
