"""The project that a command line means: the files, and what their services need to know. With a name alone no loader is imported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rootless.cli.flags import compose
from rootless.cli.output.messages import say
from rootless.compose.load.project import Project, checked_name

if TYPE_CHECKING:
    from rootless.compose.discover import Asked

given = compose.given


def asked() -> Asked:
    """The same, as far as they say which project."""
    from rootless.compose import discover

    found = given()
    return discover.Asked(found.file, found.project_name, found.profile, found.env_file, found.project_directory, found.compatibility)


def warn(text: str) -> None:
    """A warning of the loader's."""
    say(f"WARNING: {text}")


def load(services: Sequence[str] = (), *, environments: bool = True, warnings: bool = True, **changes: bool) -> Project:
    """The project of this command line; services that are named are active whatever their profiles.

    `environments`: env_file and label_file are read into the services. `changes` are fields of the load's request.
    """
    from rootless.compose import discover
    from rootless.compose.disk import Disk
    from rootless.compose.load import load as loading
    from rootless.compose.load import selection

    request = discover.request(asked(), warn)._replace(**changes)  # type: ignore[arg-type]
    reader = Disk()
    project = loading.load(reader, request)
    if warnings:
        for text in project.warnings:
            warn(text)
    project = selection.with_named(project, services)
    return selection.with_environments(project, reader) if environments else project


def name_or_project(services: Sequence[str] = ()) -> tuple[str, Project | None]:
    """The project's name, and the project where files say what it is: with -p alone there need be none."""
    name = compose.given().project_name or os.environ.get("COMPOSE_PROJECT_NAME", "")
    if name and not compose.given().file and "COMPOSE_FILE" not in os.environ:
        return checked_name(name), None
    project = load(services, environments=False, warnings=False)
    return project.name, project


def name() -> str:
    """The project's name alone."""
    return name_or_project()[0]


def pairs(words: Iterable[str]) -> dict[str, str]:
    """KEY=VALUE words, as a mapping."""
    return dict(word.partition("=")[::2] for word in words)
