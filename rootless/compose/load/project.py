"""A project: its name, where it comes from, and its services and resources in canonical form."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rootless.errors import InvalidInput

COMPATIBILITY = "COMPOSE_COMPATIBILITY"
_VALID = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Project(NamedTuple):
    """`model` is canonical: the keys of a compose file, services by name; `disabled` are services whose profile is not
    active. `environment` is what was substituted from. Paths are absolute. `files` are what it was loaded from."""

    name: str
    directory: str
    files: tuple[str, ...]
    environment: dict[str, str]
    model: dict[str, Any]
    disabled: dict[str, Any] = {}
    profiles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()

    @property
    def separator(self) -> str:
        """Between the parts of names: `_`, as in Compose 1, where compatibility is asked for."""
        return "_" if is_true(self.environment.get(COMPATIBILITY)) else "-"

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """The services by their names."""
        found: dict[str, dict[str, Any]] = self.model.get("services") or {}
        return found

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The networks, volumes, secrets or configs."""
        return self.model.get(kind) or {}

    def service(self, name: str) -> dict[str, Any]:
        """The service of that name. InvalidInput, as Docker says it."""
        if name not in self.services:
            raise InvalidInput(f"no such service: {name}" if name not in self.disabled else
                               f"service {name} has been disabled by its profiles")  # fmt: skip
        return self.services[name]


def is_true(word: str | None) -> bool:
    """A variable's boolean, as Go's ParseBool and compose's own words have it."""
    return (word or "").lower() in ("1", "t", "true", "y", "yes", "on")


def normalised_name(text: str) -> str:
    """A directory's or a file's name as a project's: lower case, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def checked_name(name: str) -> str:
    """The name as it is. InvalidInput where it is none."""
    if not _VALID.fullmatch(name):
        raise InvalidInput(
            f'invalid project name "{name}": must consist only of lowercase alphanumeric characters, hyphens, and '
            "underscores as well as start with a letter or number"
        )
    return name
