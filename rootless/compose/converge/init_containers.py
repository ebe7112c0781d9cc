"""pre_start: containers that run one after the other once a service's own is made, and before it starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rootless.compose.converge.observe import container, project_rows
from rootless.compose.converge.service_request import Place
from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.compose.plan.names import PROJECT
from rootless.engine.files.volumes import volumes
from rootless.engine.lifecycle import remove, start, wait
from rootless.engine.state.config import read_config
from rootless.engine.state.logs import logs
from rootless.errors import NotFound, RootlessError
from rootless.storage.containers import containers
from rootless.storage.store import Store
from rootless.words import COMPOSE_LABEL, plain

HOOK_LABEL = COMPOSE_LABEL + "hook"
_NOT_OF_HOOKS = ("container_name", "ports", "build", "restart", "pre_start", "post_start", "pre_stop", "scale")
_TAIL = 20

Make = Callable[[Project, str, Place], str]
"""Makes a container of a service of this project; its id."""


def run(store: Store, project: Project, service: str, target: str, make: Make) -> None:
    """Run them; `target` is the name of the service's container, whose volumes they have. RootlessError for the first that fails,
    whose container is left to be looked at."""
    kept = {path: volume for row in project_rows(store, project.name) if row.name == target
            for path, volume in container(row).anonymous.items()}  # fmt: skip
    for at, hook in enumerate(project.services[service]["pre_start"]):
        name = project.separator.join((project.name, service, "pre_start", str(at)))
        _remove_earlier(store, project.name, name)
        config = hook_service(project, service, hook)
        own = project._replace(model={**project.model, "services": {**project.services, service: config}})
        place = Place(name, 1, {}, kept, oneoff=True, aliases=False, publish=False, extra_labels={HOOK_LABEL: "pre_start"})
        identifier = make(own, service, place)
        start.start(store, identifier)
        code = wait.wait(store, identifier)
        said = _said(store, identifier)
        if code:
            tail = plain(" ".join(said[-_TAIL:]))[-500:]
            raise RootlessError(f"service {service} pre_start[{at}] exited with status {code}" + (f": {tail}" if tail else ""),
                                hint=f"its container is there to be looked at: rootless logs {name}")  # fmt: skip
        for line in said:
            print(f"{name}  | {plain(line)}", file=sys.stderr)
        _remove(store, identifier, set(kept.values()))


def hook_service(project: Project, service: str, hook: dict[str, Any]) -> dict[str, Any]:
    """The service as the hook has it: what it does not say itself is the service's."""
    config = {key: value for key, value in project.services[service].items() if key not in _NOT_OF_HOOKS}
    config["image"] = hook.get("image") or names.image_name(project, service)
    if hook.get("image"):
        config.pop("entrypoint", None)
    config["command"] = hook.get("command")
    config["healthcheck"] = {"disable": True}
    config["environment"] = {**(config.get("environment") or {}), **(hook.get("environment") or {})}
    return {**config, **{key: hook[key] for key in ("user", "working_dir", "privileged") if hook.get(key)}}


def _remove_earlier(store: Store, project: str, name: str) -> None:
    """The hook's container of before, that failed or was ended; what is not the project's stands in the way by its name."""
    try:
        identifier = containers.find(store, name)
        labels = read_config(store, identifier)["labels"]
        if labels.get(PROJECT) == project and HOOK_LABEL in labels:
            remove.remove(store, identifier, force=True, volumes=False)
    except NotFound:
        pass


def _said(store: Store, identifier: str) -> list[str]:
    lines = logs.read(containers.directory(store, identifier), logs.window(tail=200))
    return [line.text.decode(errors="replace").rstrip("\r\n") for line in lines]


def _remove(store: Store, identifier: str, kept: set[str]) -> None:
    """Remove it with the anonymous volumes that are its own alone."""
    mounts = read_config(store, identifier)["mounts"]
    own = {m["volume"] for m in mounts if m["type"] == "volume" and "anonymous" in m["options"]} - kept
    remove.remove(store, identifier, force=True, volumes=False)
    for name in own:
        try:
            volumes.remove(store, name)
        except NotFound:
            pass
