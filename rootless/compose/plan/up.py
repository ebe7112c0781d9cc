"""`up` and `create`: from what is there to what the file says. The images are there by now (images.py).

Networks and volumes first; then containers, each after those whose namespaces or volumes it uses; then starts, each after the
conditions of `depends_on`. What an interrupted `up` left is taken up: the plan is made from what there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.compose.load.project import Project
from rootless.compose.plan import names, resources
from rootless.compose.plan.observed import Container, Observed
from rootless.compose.plan.service_hash import service_hash
from rootless.compose.plan.steps import Step

NEVER, DIVERGED, FORCE = "never", "diverged", "force"


class Asked(NamedTuple):
    """`services` are those that were named (none: all). `recreate` is for them, `recreate_dependencies` for the others."""

    services: tuple[str, ...] = ()
    recreate: str = DIVERGED
    recreate_dependencies: str = DIVERGED
    renew_volumes: bool = False
    remove_orphans: bool = False
    start: bool = True
    wait: bool = False
    timeout_s: int | None = None
    recreate_volumes: tuple[str, ...] = ()  # of which the user has said so


class Plan(NamedTuple):
    """The steps; `orphans`, `changed_volumes` and `others_volumes` are what the caller may want to say."""

    steps: list[Step]
    orphans: list[str] = []
    changed_volumes: list[str] = []
    others_volumes: list[str] = []


class _Up:
    def __init__(self, project: Project, observed: Observed, asked: Asked) -> None:
        self.project, self.observed, self.asked = project, observed, asked
        self.steps: list[Step] = []
        self.gone: set[str] = set()  # ids of containers that are taken down for their network or volume
        self.recreated: set[str] = set()  # services
        self.made: dict[str, list[tuple[str, int, str]]] = {}  # service -> name, number, id ("": it is made) of each container to be

    def plan(self) -> Plan:
        """All of it."""
        leftovers = self._leftovers()
        network_steps, gone = resources.network_steps(self.project, self.observed, self.asked.timeout_s)
        volumes = resources.volume_steps(self.project, self.observed)
        self.gone |= gone
        self.steps += [*leftovers, *network_steps, *volumes.steps]
        for name in volumes.changed:
            if name in self.asked.recreate_volumes:
                steps, gone = resources.recreated_volume(self.project, self.observed, name, self.asked.timeout_s)
                self.steps += [step for step in steps if step.key not in {one.key for one in self.steps}]
                self.gone |= gone
        orphans = self._orphans()
        for service in in_order(self.project):
            self._converge(service)
        if self.asked.start:
            for service in in_order(self.project):
                self._start(service)
            if self.asked.wait:
                self._wait()
        changed = [name for name in volumes.changed if name not in self.asked.recreate_volumes]
        return Plan(self.steps, orphans, changed, volumes.others)

    def _leftovers(self) -> list[Step]:
        """What an `up` that was killed has left of a recreation: the new container beside the old one, or without it."""
        steps: list[Step] = []
        known = {one.id for one in self.observed.containers}
        for one in list(self.observed.containers):
            replaced = one.labels.get(names.REPLACE)
            wanted = one.name.partition("_")[2]
            if one.name == f"{one.id[:12]}_{wanted}" and wanted not in {other.name for other in self.observed.containers}:
                replaced = one.id  # docker-compose 1 renames the old one first, and has failed or was ended since
            if not replaced or not one.name.startswith(replaced[:12] + "_"):
                continue
            if replaced in known and replaced != one.id:
                steps += resources.taking_down(one, self.asked.timeout_s)
                self.observed.containers.remove(one)
            else:
                steps.append(Step(f"rename {one.id}", "rename", f"Container {wanted}", data={"id": one.id, "name": wanted}))
                self.observed.containers[self.observed.containers.index(one)] = one._replace(name=wanted)
        return steps

    def _orphans(self) -> list[str]:
        known = {*self.project.services, *self.project.disabled}
        found = [one for one in self.observed.containers if one.service not in known and not one.oneoff]
        if not self.asked.remove_orphans:
            return [one.name for one in found]
        for one in found:
            self.steps += resources.taking_down(one, self.asked.timeout_s)
        return []

    def _policy(self, service: str) -> str:
        named = not self.asked.services or service in self.asked.services
        return self.asked.recreate if named else self.asked.recreate_dependencies

    def _diverges(self, service: str, config: dict[str, Any], one: Container, wanted: str) -> bool:
        policy = self._policy(service)
        if one.id in self.gone:
            return True
        if policy in (NEVER, FORCE):
            return policy == FORCE
        image = self.observed.images.get(names.image_name(self.project, service), "")
        if one.labels.get(names.CONFIG_HASH) != wanted or (image and one.image_id != image):
            return True
        if any(other in self.recreated for other in shared_services(config)):
            return True
        for key in config.get("networks") or ():
            name = str(self.project.resources("networks")[key]["name"])
            there = self.observed.networks.get(name)
            if name not in one.networks or (there is not None and one.networks[name] not in ("", there.id)):
                return True
        volumes = self.project.resources("volumes")
        named = [str(volumes[m["source"]]["name"]) for m in config.get("volumes") or () if m.get("type") == "volume" and m.get("source")]
        return any(name not in one.volumes.values() for name in named)

    def _converge(self, service: str) -> None:
        config = self.project.services[service]
        if "provider" in config:
            return
        wanted_hash = service_hash(self.project, config)
        wanted = names.scale(config)
        there = self.observed.of(service)
        stale = {one.id for one in there if self._diverges(service, config, one, wanted_hash)}
        # Fewer: those that would be made anew go first, then the last ones.
        keep = sorted(there, key=lambda one: (one.id in stale, one.number))[:wanted]
        for one in there:
            if one not in keep:
                self.steps += resources.taking_down(one, self.asked.timeout_s, volumes=False)
        base = self._needed(config)
        made = self.made.setdefault(service, [])
        for one in sorted(keep, key=lambda one: one.number):
            if one.id in stale:
                self.recreated.add(service)
                # By the name that it will have: docker-compose 1 has others.
                made.append((names.container_name(self.project, service, one.number), one.number, ""))
                self._recreate(service, config, one, base)
            else:
                made.append((one.name, one.number, one.id))
        number = max((one.number for one in there), default=0)
        for _ in range(wanted - len(keep)):
            number += 1
            name = names.container_name(self.project, service, number)
            made.append((name, number, ""))
            self.steps.append(Step(f"create {name}", "create", f"Container {name}", base,
                                   {"service": service, "number": number, "name": name}))  # fmt: skip

    def _recreate(self, service: str, config: dict[str, Any], one: Container, base: tuple[str, ...]) -> None:
        name = names.container_name(self.project, service, one.number)
        inherit = {} if self.asked.renew_volumes else dict(one.anonymous)
        data = {"service": service, "number": one.number, "name": name, "inherit": inherit}
        if one.id in self.gone:
            self.steps.append(Step(f"create {name}", "recreate", f"Container {name}", (*base, f"remove {one.id}"), data))
            return
        more = {"old": one.id, "timeout": self.asked.timeout_s, "old_volumes": self.asked.renew_volumes}
        stops = tuple(self._stop_dependents(service))
        self.steps.append(Step(f"create {name}", "recreate", f"Container {name}", (*base, *stops), {**data, **more}))

    def _stop_dependents(self, service: str) -> list[str]:
        """Dependents that are to be restarted with it do not run while it is away."""
        keys = []
        for other, config in self.project.services.items():
            entry = (config.get("depends_on") or {}).get(service)
            if not entry or not entry.get("restart"):
                continue
            for one in self.observed.of(other):
                if one.runs and one.id not in self.gone:
                    key = f"stop {one.id}"
                    keys.append(key)
                    if key not in {step.key for step in self.steps}:
                        data = {"id": one.id, "service": other, "timeout": self.asked.timeout_s}
                        self.steps.append(Step(key, "stop", f"Container {one.name}", data=data))
        return keys

    def _needed(self, config: dict[str, Any]) -> tuple[str, ...]:
        """What a container of this service is made after: keys of steps, which may be none's."""
        keys = [f"network {self.project.resources('networks')[key]['name']}" for key in config.get("networks") or ()]
        volumes = self.project.resources("volumes")
        keys += [f"volume {volumes[m['source']]['name']}" for m in config.get("volumes") or ()
                 if m.get("type") == "volume" and m.get("source")]  # fmt: skip
        for other in shared_services(config):
            keys += [f"create {name}" for name, _, _ in self.made.get(other, ())]
        keys += [step.key for step in self.steps if step.action == "rename"]
        return tuple(keys)

    def _start(self, service: str) -> None:
        config = self.project.services[service]
        conditions = self._conditions(service, config)
        stopped = {step.data.get("id") for step in self.steps if step.action == "stop"}
        there = {one.id: one for one in self.observed.containers}
        if config.get("pre_start") and (made := self.made.get(service)) and all(
            not identifier or there[identifier].state == "created" for _, _, identifier in made
        ):  # once for the service: not where one of its containers has run with this configuration
            key, first = f"pre_start {service}", made[0][0]
            after = (*(f"create {name}" for name, _, _ in made), *conditions)
            self.steps.append(Step(key, "pre_start", f"Container {first}", after, {"service": service, "name": first}))
            conditions = (*conditions, key)
        for name, _, identifier in self.made.get(service, ()):
            subject, data = f"Container {name}", {"service": service, "name": name}
            key = f"start {name}"
            if identifier and there[identifier].state == "running" and identifier not in stopped:
                self.steps.append(Step(key, "note", subject, data=data))
                continue
            own = (f"stop {identifier}",) if identifier else (f"create {name}",)
            action = "unpause" if identifier and there[identifier].state == "paused" and identifier not in stopped else "start"
            self.steps.append(Step(key, action, subject, (*own, *conditions), data))

    def _conditions(self, service: str, config: dict[str, Any]) -> tuple[str, ...]:
        keys: list[str] = []
        for other, entry in (config.get("depends_on") or {}).items():
            if other not in self.project.services:
                continue
            started = tuple(f"start {name}" for name, _, _ in self.made.get(other, ()))
            if entry["condition"] == "service_started" or not started:
                keys += started
                continue
            for name, _, _ in self.made[other]:
                required = bool(entry.get("required", True))
                key = f"wait {name} {entry['condition']} {required}"
                keys.append(key)
                if key not in {step.key for step in self.steps}:
                    data = {"name": name, "service": other, "condition": entry["condition"]}
                    self.steps.append(Step(key, "wait", f"Container {name}", (f"start {name}",), data, optional=not required))
        return tuple(keys)

    def _wait(self) -> None:
        """--wait: every service is running, and healthy where it has a check."""
        for service, made in self.made.items():
            for name, _, _ in made:
                data = {"name": name, "service": service, "condition": "running_or_healthy"}
                self.steps.append(Step(f"wait {name}", "wait", f"Container {name}", (f"start {name}",), data))


def condition_steps(project: Project, steps: list[Step], config: dict[str, Any]) -> list[Step]:
    """Waits for the conditions of a service that is no part of the plan: of `run`."""
    found = []
    for step in steps:
        other = step.data.get("service", "")
        entry = (config.get("depends_on") or {}).get(other)
        if not entry or entry["condition"] == "service_started" or not step.key.startswith("start ") or other not in project.services:
            continue
        data = {"name": step.data["name"], "service": other, "condition": entry["condition"]}
        found.append(Step(f"await {step.data['name']}", "wait", step.subject, (step.key,), data, optional=not entry.get("required", True)))
    return found


def shared_services(config: dict[str, Any]) -> list[str]:
    """The services whose containers' namespaces or volumes this one uses: it is made after them, and anew with them."""
    found = [
        str(config[key]).removeprefix("service:") for key in ("network_mode", "ipc", "pid", "uts", "cgroup")
        if str(config.get(key, "")).startswith("service:")
    ]  # fmt: skip
    found += [word.partition(":")[0] for word in config.get("volumes_from") or () if not word.startswith("container:")]
    return found


def in_order(project: Project) -> list[str]:
    """The services, each behind those that it depends on."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name not in project.services:
            return
        config = project.services[name]
        for other in [*(config.get("depends_on") or ()), *shared_services(config)]:
            visit(other)
        found[name] = None

    for name in sorted(project.services):
        visit(name)
    return list(found)


def plan_up(project: Project, observed: Observed, asked: Asked) -> Plan:
    """The plan. NotFound, Conflict for an external network or volume that is not there, or one of somebody else's."""
    return _Up(project, observed._replace(containers=list(observed.containers)), asked).plan()
