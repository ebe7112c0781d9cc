"""Which services a command is about: profiles, the names given, what they depend on. And their files of variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rootless.compose.load import dotenv
from rootless.compose.load.project import Project
from rootless.compose.load.reader import Reader
from rootless.errors import InvalidInput
from rootless.yamltext.document import Tree

NO_DEPENDENCIES, DEPENDENCIES, DEPENDENTS = "none", "dependencies", "dependents"


def with_profiles(services: Tree, profiles: Iterable[str]) -> tuple[Tree, Tree]:
    """The services that are active, and those that are not."""
    wanted = set(profiles)
    active = {
        name: service for name, service in services.items()
        if not service.get("profiles") or "*" in wanted or wanted & set(service["profiles"])
    }  # fmt: skip
    return active, {name: service for name, service in services.items() if name not in active}


def with_named(project: Project, names: Iterable[str]) -> Project:
    """A service that is named is active, whatever its profiles; what else they would activate is not.
    InvalidInput where there is none of that name."""
    services, disabled = dict(project.services), dict(project.disabled)
    for name in names:
        if name in disabled:
            services[name] = disabled.pop(name)
        elif name not in services:
            raise InvalidInput(f"no such service: {name}", hint=f"there are: {', '.join(sorted({**services, **disabled}))}")
    return project._replace(model={**project.model, "services": services}, disabled=disabled)


def names_with(project: Project, names: Iterable[str], which: str = DEPENDENCIES) -> list[str]:
    """The named services (none: all), with those that they depend on, or that depend on them, in the file's order.
    InvalidInput where a dependency that is needed is not active."""
    asked = list(names)
    wanted: set[str] = set()

    def add(name: str, chain: tuple[str, ...]) -> None:
        if name in wanted:
            return
        service = project.service(name)
        wanted.add(name)
        if which == DEPENDENTS:
            for other, entry in project.services.items():
                if name in (entry.get("depends_on") or {}):
                    add(other, (*chain, name))
        elif which == DEPENDENCIES:
            for other, entry in (service.get("depends_on") or {}).items():
                if other in project.services:
                    add(other, (*chain, name))
                elif entry.get("required", True):
                    raise InvalidInput(f"service {name!r} depends on {other!r}, which its profiles disable: service {other} is "
                                       "required by " + name, hint="activate its profile with --profile")  # fmt: skip

    for name in asked or project.services:
        add(name, ())
    return [name for name in project.services if name in wanted]


def selected(project: Project, names: Iterable[str], which: str = DEPENDENCIES) -> Project:
    """The project with those services alone, and with the resources that they use."""
    kept = names_with(project, names, which)
    services = {name: project.services[name] for name in project.services if name in kept}
    if which == NO_DEPENDENCIES:
        services = {
            name: {**service, "depends_on": {other: entry for other, entry in (service.get("depends_on") or {}).items() if other in kept}}
            for name, service in services.items()
        }
    model = {**project.model, "services": services}
    # The others are not meant now; they are the project's all the same.
    others = {name: service for name, service in project.services.items() if name not in services}
    return project._replace(model=used_resources(model), disabled={**project.disabled, **others})


def used_resources(model: Tree) -> Tree:
    """The model without networks, volumes, secrets and configs that no service uses."""
    used: dict[str, set[str]] = {kind: set() for kind in ("networks", "volumes", "secrets", "configs")}
    for service in model["services"].values():
        used["networks"] |= set(service.get("networks") or ())
        used["volumes"] |= {mount.get("source", "") for mount in service.get("volumes") or () if mount.get("type") == "volume"}
        for kind in ("secrets", "configs"):
            used[kind] |= {entry.get("source", "") for entry in service.get(kind) or ()}
        used["secrets"] |= {entry.get("source", "") for entry in (service.get("build") or {}).get("secrets") or ()}
    found = dict(model)
    for kind, names in used.items():
        left = {name: entry for name, entry in (model.get(kind) or {}).items() if name in names}
        found.pop(kind, None)
        if left:
            found[kind] = left
    return found


def with_environments(project: Project, reader: Reader, *, discard: bool = True) -> Project:
    """The services with what their `env_file` and `label_file` say; their own `environment` and `labels` win.
    NotFound for a file that is required."""
    services = {}
    for name, service in project.services.items():
        service = dict(service)
        variables: dict[str, Any] = {}
        for entry in service.get("env_file") or ():
            path = str(entry["path"])
            if not reader.exists(path):
                if entry.get("required", True):
                    raise InvalidInput(f"env file {path} not found", hint=f"services.{name}.env_file; required: false makes it optional")
                continue
            parse = dotenv.parse_raw if entry.get("format") == "raw" else dotenv.parse
            variables.update(parse(reader.read(path), path, {**project.environment, **_texts(variables)}))
        if variables or "environment" in service:
            service["environment"] = {**variables, **(service.get("environment") or {})}
        labels: dict[str, str] = {}
        for path in service.get("label_file") or ():
            if not reader.exists(path):
                raise InvalidInput(f"label file {path} not found", hint=f"services.{name}.label_file")
            labels.update(dotenv.parse(reader.read(path), path, project.environment))
        if labels:
            service["labels"] = {**labels, **(service.get("labels") or {})}
        if discard:
            service.pop("env_file", None)
            service.pop("label_file", None)
        services[name] = service
    return project._replace(model={**project.model, "services": services})


def _texts(variables: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if isinstance(value, str)}
