"""Networks and volumes of a project: made where they are missing, held against their configuration where they are not."""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.compose.plan.observed import Container, Observed
from rootless.compose.plan.service_hash import resource_hash
from rootless.compose.plan.steps import Step
from rootless.errors import Conflict, NotFound


def network_labels(project: Project, key: str, config: dict[str, Any]) -> dict[str, str]:
    """Of a network that is made."""
    own = {names.NETWORK: key, names.CONFIG_HASH: resource_hash(config)}
    return {**(config.get("labels") or {}), **names.project_labels(project), **own}


def volume_labels(project: Project, key: str, config: dict[str, Any]) -> dict[str, str]:
    """Of a volume that is made."""
    own = {names.VOLUME: key, names.CONFIG_HASH: resource_hash(config)}
    return {**(config.get("labels") or {}), **names.project_labels(project), **own}


def network_steps(project: Project, observed: Observed, timeout_s: int | None) -> tuple[list[Step], set[str]]:
    """What is done about networks, and the ids of containers that this takes down: of a network whose configuration changed.
    NotFound, Conflict where one is not what the file takes it for."""
    steps: list[Step] = []
    gone: set[str] = set()
    for key, config in project.resources("networks").items():
        name = str(config["name"])
        there = observed.networks.get(name)
        if config.get("external"):
            if there is None:
                raise NotFound(f"network {name} declared as external, but could not be found",
                               hint=f"make it: rootless network create {name}")  # fmt: skip
            continue
        subject = f"Network {name}"
        if there is None:
            steps.append(Step(f"network {name}", "create_network", subject, data={"key": key}))
            continue
        if there.labels.get(names.PROJECT) != project.name or there.labels.get(names.NETWORK) != key:
            label, expected = names.NETWORK, key
            if there.labels.get(names.NETWORK) == key:
                label, expected = names.PROJECT, project.name
            raise Conflict(
                f'network {name} was found but has incorrect label {label} set to "{there.labels.get(label, "")}" (expected: "{expected}")',
                hint="external: true says that it is not this project's; or name another one",
            )
        if there.labels.get(names.CONFIG_HASH, resource_hash(config)) == resource_hash(config):
            continue
        users = [one for one in observed.containers if name in one.networks]
        for one in users:
            steps += taking_down(one, timeout_s)
            gone.add(one.id)
        removed = Step(f"remove network {name}", "remove_network", subject, tuple(f"remove {one.id}" for one in users), {"name": name})
        steps += [removed, Step(f"network {name}", "create_network", subject, (removed.key,), {"key": key})]
    return steps, gone


class Volumes(NamedTuple):
    """What is done about volumes. `changed`: the names of those whose configuration is another now: they stay, for their data
    would go. `others`: a sentence for each that is there already, and not of this project's making: it is used, and never
    made anew, whatever it was made with."""

    steps: list[Step]
    changed: list[str]
    others: list[str]


def volume_steps(project: Project, observed: Observed) -> Volumes:
    """NotFound for an external volume that is not there."""
    found = Volumes([], [], [])
    for key, config in project.resources("volumes").items():
        name = str(config["name"])
        there = observed.volumes.get(name)
        if config.get("external"):
            if there is None:
                raise NotFound(f'external volume "{name}" not found', hint=f"make it: rootless volume create {name}")
        elif there is None:
            found.steps.append(Step(f"volume {name}", "create_volume", f"Volume {name}", data={"key": key}))
        elif there.get(names.PROJECT) != project.name:
            owner = there.get(names.PROJECT)
            made = f'was created for project "{owner}" (expected "{project.name}")' if owner else "was not created by compose"
            found.others.append(f'volume "{name}" already exists but {made}. Use `external: true` to use an existing volume')
        elif there.get(names.CONFIG_HASH, resource_hash(config)) != resource_hash(config):
            found.changed.append(name)
    return found


def recreated_volume(project: Project, observed: Observed, name: str, timeout_s: int | None) -> tuple[list[Step], set[str]]:
    """Steps that make the volume anew, when the user has agreed; and the ids of containers that this takes down."""
    users = [one for one in observed.containers if name in one.volumes.values()]
    key = next(key for key, config in project.resources("volumes").items() if config["name"] == name)
    steps = [step for one in users for step in taking_down(one, timeout_s)]
    removed = Step(f"remove volume {name}", "remove_volume", f"Volume {name}", tuple(f"remove {one.id}" for one in users), {"name": name})
    made = Step(f"volume {name}", "create_volume", f"Volume {name}", (removed.key,), {"key": key})
    return [*steps, removed, made], {one.id for one in users}


def taking_down(one: Container, timeout_s: int | None, *, after: tuple[str, ...] = (), volumes: bool = False) -> list[Step]:
    """A container stopped and removed."""
    subject = f"Container {one.name}"
    stop = Step(f"stop {one.id}", "stop", subject, after, {"id": one.id, "service": one.service, "timeout": timeout_s})
    remove = Step(f"remove {one.id}", "remove", subject, (*after, stop.key), {"id": one.id, "volumes": volumes})
    return [stop, remove] if one.runs else [remove._replace(after=after)]
