"""Names and labels of what a project has: Docker Compose's, so that both see the same project."""

from __future__ import annotations

from typing import Any

from rootless.compose.load.project import Project
from rootless.words import COMPOSE_LABEL

VERSION = "2.40.3"
"""The Docker Compose whose words these are; `version --short` prints it, which tools compare."""

PROJECT, SERVICE, NUMBER, ONEOFF = (COMPOSE_LABEL + key for key in ("project", "service", "container-number", "oneoff"))
CONFIG_HASH, IMAGE, DEPENDS_ON, VERSION_LABEL = (
    f"{COMPOSE_LABEL}config-hash", f"{COMPOSE_LABEL}image", f"{COMPOSE_LABEL}depends_on", f"{COMPOSE_LABEL}version",
)  # fmt: skip
WORKING_DIR, CONFIG_FILES, ENVIRONMENT_FILE = (
    f"{COMPOSE_LABEL}project.working_dir", f"{COMPOSE_LABEL}project.config_files", f"{COMPOSE_LABEL}project.environment_file",
)  # fmt: skip
NETWORK, VOLUME, SLUG, REPLACE = f"{COMPOSE_LABEL}network", f"{COMPOSE_LABEL}volume", f"{COMPOSE_LABEL}slug", f"{COMPOSE_LABEL}replace"


def container_name(project: Project, service: str, number: int) -> str:
    """`container_name` of the file, or PROJECT-SERVICE-N, with the project's separator."""
    own: str = project.services[service].get("container_name") or project.separator.join((project.name, service, str(number)))
    return own


def image_name(project: Project, service: str) -> str:
    """The image of the file, or the name that its build gives it: PROJECT-SERVICE."""
    own: str = project.services[service].get("image") or f"{project.name}{project.separator}{service}"
    return own


def scale(service: dict[str, Any]) -> int:
    """How many containers the service is to have."""
    replicas = (service.get("deploy") or {}).get("replicas")
    found = service.get("scale")
    return int(found if found is not None else replicas if replicas is not None else 1)


def depends_on_label(service: dict[str, Any]) -> str:
    """`db:service_healthy:false,cache:service_started:true`: name, condition, restart."""
    entries = service.get("depends_on") or {}
    return ",".join(
        f"{name}:{entry['condition']}:{'true' if entry.get('restart') else 'false'}" for name, entry in sorted(entries.items())
    )


def read_depends_on_label(text: str) -> dict[str, dict[str, Any]]:
    """What the label says, as `depends_on` has it; words that are none are left out."""
    found: dict[str, dict[str, Any]] = {}
    for word in text.split(","):
        name, _, rest = word.partition(":")
        condition, _, restart = rest.partition(":")
        if name:
            found[name] = {"condition": condition or "service_started", "restart": restart == "true", "required": True}
    return found


def project_labels(project: Project) -> dict[str, str]:
    """Of everything of the project's."""
    return {PROJECT: project.name, VERSION_LABEL: VERSION}


def container_labels(project: Project, service: str, number: int, *, oneoff: bool, config_hash: str, image_id: str) -> dict[str, str]:
    """Of a container, besides the service's own."""
    return {
        **project_labels(project),
        SERVICE: service,
        NUMBER: str(number),
        ONEOFF: "True" if oneoff else "False",
        CONFIG_HASH: config_hash,
        IMAGE: image_id,
        DEPENDS_ON: depends_on_label(project.services[service]),
        WORKING_DIR: project.directory,
        CONFIG_FILES: ",".join(project.files),
        **({ENVIRONMENT_FILE: ",".join(project.env_files)} if project.env_files else {}),
    }
