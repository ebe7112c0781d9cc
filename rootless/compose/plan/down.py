"""`down`, and verbs on a project's containers: stop, start, restart, kill, rm, pause, unpause."""

from __future__ import annotations

from typing import NamedTuple

from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.compose.plan.observed import Container, Observed
from rootless.compose.plan.resources import taking_down
from rootless.compose.plan.steps import Step


class DownAsked(NamedTuple):
    """`images`: "", local or all. `services` (none: all, with networks and volumes)."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    images: str = ""
    remove_orphans: bool = False
    timeout_s: int | None = None


def dependencies(project: Project | None, observed: Observed) -> dict[str, set[str]]:
    """The services that each depends on: by the file; those that it does not know by the labels of what is there, which may be
    of a day when it said the contrary."""
    found: dict[str, set[str]] = {}
    if project is not None:
        found = {name: set(config.get("depends_on") or ()) for name, config in {**project.disabled, **project.services}.items()}
    known = set(found)
    for one in observed.containers:
        if one.service not in known:
            found.setdefault(one.service, set()).update(names.read_depends_on_label(one.labels.get(names.DEPENDS_ON, "")))
    return found


def plan_down(project: Project | None, name: str, observed: Observed, asked: DownAsked) -> list[Step]:
    """Containers, dependents first; then networks, and what else was asked for."""
    known = None if project is None else {*project.services, *project.disabled}
    chosen = [one for one in observed.containers if _is_chosen(one, known, asked)]
    steps = _taken_down(chosen, dependencies(project, observed), asked)
    gone = tuple(f"remove {one.id}" for one in chosen)
    if not asked.services:
        for network, there in observed.networks.items():
            ours = there.labels.get(names.PROJECT) == name
            if ours and (project is None or asked.remove_orphans or _is_named(project, "networks", network)):
                steps.append(Step(f"remove network {network}", "remove_network", f"Network {network}", gone, {"name": network}))
        if asked.volumes:
            for volume, labels in observed.volumes.items():
                ours = labels.get(names.PROJECT) == name and names.VOLUME in labels
                if ours and (project is None or _is_named(project, "volumes", volume)):
                    steps.append(Step(f"remove volume {volume}", "remove_volume", f"Volume {volume}", gone, {"name": volume}))
    if asked.images and project is not None:
        for service, config in project.services.items():
            image = names.image_name(project, service)
            if asked.services and service not in asked.services:
                continue
            if image in observed.images and (asked.images == "all" or not config.get("image")):
                step = Step(f"remove image {image}", "remove_image", f"Image {image}", gone, {"image": image}, optional=True)
                steps += [step] if step.key not in {one.key for one in steps} else []
    return steps


def _is_chosen(one: Container, known: set[str] | None, asked: DownAsked) -> bool:
    if asked.services:
        return one.service in asked.services
    return known is None or one.service in known or asked.remove_orphans


def _is_named(project: Project, kind: str, name: str) -> bool:
    return any(config.get("name") == name and not config.get("external") for config in project.resources(kind).values())


def _taken_down(chosen: list[Container], needed: dict[str, set[str]], asked: DownAsked) -> list[Step]:
    steps: list[Step] = []
    for one in chosen:
        dependents = [other for other in chosen if one.service in needed.get(other.service, ()) and other.service != one.service]
        after = tuple(f"remove {other.id}" for other in dependents)
        steps += taking_down(one, asked.timeout_s, after=after, volumes=asked.volumes)
    return steps


def verb_steps(verb: str, chosen: list[Container], needed: dict[str, set[str]], *, reverse: bool, **data: object) -> list[Step]:
    """One verb on containers, in the order of their dependencies, or against it."""
    steps = []
    for one in chosen:
        others = [
            other for other in chosen if other.service != one.service and (
                one.service in needed.get(other.service, ()) if reverse else other.service in needed.get(one.service, ()))
        ]  # fmt: skip
        after = tuple(f"{verb} {other.id}" for other in others)
        steps.append(Step(f"{verb} {one.id}", verb, f"Container {one.name}", after,
                          {"id": one.id, "service": one.service, "name": one.name, **data}))  # fmt: skip
    return steps
