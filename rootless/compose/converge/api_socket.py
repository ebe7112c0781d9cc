"""`use_api_socket`: the engine's API in a service, and the caller's credentials for registries, as Docker Compose gives them.

Whoever is root in such a container is the caller.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from rootless.compose.load.project import Project
from rootless.errors import Unavailable
from rootless.image.registry import auth_file

_TARGET = "/var/run/docker.sock"
_CONFIG = "#apisocket"  # Docker Compose's, and no name that a file may have
_DIRECTORY = "/run/secrets/docker"


def given(project: Project, path: str) -> Project:
    """The project whose services have the socket at `path` of the host, and the credentials as a config that root alone reads.
    Unavailable where nobody listens."""
    _check(path)
    services: dict[str, Any] = {}
    for name, config in project.services.items():
        services[name] = _with_socket(config, path) if config.get("use_api_socket") else config
    configs = {**project.resources("configs"), _CONFIG: {"content": json.dumps({"auths": auth_file.auths()}, sort_keys=True)}}
    return project._replace(model={**project.model, "services": services, "configs": configs})


def _with_socket(config: dict[str, Any], path: str) -> dict[str, Any]:
    bind = {"type": "bind", "source": path, "target": _TARGET, "bind": {"create_host_path": False}}
    changed = {**config, "volumes": [*(config.get("volumes") or ()), bind]}
    environment = config.get("environment") or {}
    if "DOCKER_CONFIG" in environment:
        return changed  # it has credentials of its own
    entry = {"source": _CONFIG, "target": f"{_DIRECTORY}/config.json", "mode": 0o400}
    return {**changed, "environment": {**environment, "DOCKER_CONFIG": _DIRECTORY}, "configs": [*(config.get("configs") or ()), entry]}


def _check(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise Unavailable(
                f"use_api_socket: nobody serves the API at {path}: {error.strerror}",
                hint="`rootless system service --install` with systemd, or `rootless system service` in another terminal",
            ) from None
