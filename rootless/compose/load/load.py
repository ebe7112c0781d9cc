"""Compose files, an environment and a few choices in; a project out. compose-go's order (see docs/development/decisions/compose.md)."""

from __future__ import annotations

import posixpath
from typing import Any, NamedTuple

from rootless.compose.load.consistency import check_consistency
from rootless.compose.load.defaults import fill, normalise
from rootless.compose.load.files import FileLoader, Settings, Source, check
from rootless.compose.load.interpolate import Interpolation
from rootless.compose.load.project import Project, checked_name, normalised_name
from rootless.compose.load.reader import Reader
from rootless.compose.load.resolve_paths import resolve_paths
from rootless.compose.load.selection import with_profiles
from rootless.compose.load.tags import TAGS
from rootless.errors import InvalidInput
from rootless.yamltext.document import Document, Tree, documents


class Request(NamedTuple):
    """What to load. `directory` is the project's, absolute; `name` was given (-p, COMPOSE_PROJECT_NAME), or is ""."""

    sources: list[Source]
    directory: str
    environment: dict[str, str]
    home: str
    schema: dict[str, Any]
    name: str = ""
    profiles: tuple[str, ...] = ()
    interpolate: bool = True
    normalise: bool = True
    resolve_paths: bool = True
    consistency: bool = True
    env_files: tuple[str, ...] = ()


def load(reader: Reader, request: Request) -> Project:
    """The project. InvalidInput with file and line, NotFound for a file that is named and not there."""
    warnings: list[str] = []
    name = project_name(reader, request)
    environment = {**request.environment, "COMPOSE_PROJECT_NAME": name}
    settings = Settings(reader, request.schema, request.home, warnings, request.interpolate, request.resolve_paths)
    tree = FileLoader(settings, environment, request.directory).load(request.sources)
    where = Document(", ".join(source.path for source in request.sources), tree, {})
    if not tree:
        raise InvalidInput("empty compose file")
    if request.interpolate:
        check(tree, where, settings, missing=True)
    tree["name"] = name
    for service in (tree.get("services") or {}).values():
        service.pop("extends", None)
    if request.interpolate:
        fill(tree)
    if request.resolve_paths:
        tree = resolve_paths(tree, request.directory, request.home)
    profiles = request.profiles or tuple(filter(None, environment.get("COMPOSE_PROFILES", "").split(",")))
    if request.normalise and request.interpolate:
        normalise(tree, name, environment)
    active, disabled = with_profiles(tree.get("services") or {}, profiles)
    tree = {**tree, "services": active}
    if request.consistency and request.interpolate:
        check_consistency(tree, disabled)
    return Project(
        name, request.directory, tuple(source.path for source in request.sources), environment, tree, disabled, profiles,
        tuple(warnings), request.env_files,
    )  # fmt: skip


def project_name(reader: Reader, request: Request) -> str:
    """Given, or the last `name:` of the files, or the directory's. InvalidInput where that leaves nothing."""
    if request.name:
        return checked_name(request.name)
    for source in reversed(request.sources):
        text = reader.read(source.path) if source.text is None else source.text
        if "name" not in text:
            continue
        for document in reversed(documents(text, source.path, TAGS)):
            found = _own_name(document, request)
            if found:
                return found
    found = normalised_name(posixpath.basename(request.directory))
    if not found:
        raise InvalidInput("project name must not be empty", hint="name it: -p NAME, or COMPOSE_PROJECT_NAME")
    return found


def _own_name(document: Document, request: Request) -> str:
    value = document.tree.get("name")
    if not isinstance(value, str):
        return ""
    if request.interpolate:
        only: Tree = {"name": value}
        value = Interpolation(request.environment, []).document(document._replace(tree=only))["name"]
    return normalised_name(str(value))
