"""Rules between keys that no schema says, with compose-go's messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rootless.errors import InvalidInput
from rootless.yamltext.document import Tree

DEEPEST = 200
"""Services that depend on one another, one after the other."""
MOST_CONTAINERS = 10_000


def check_consistency(tree: Tree, disabled: Tree) -> None:
    """InvalidInput for the first rule that is broken. `disabled`: services whose profile is not active."""
    services: Tree = tree.get("services") or {}
    for name, service in services.items():
        _image(name, service)
        _references(name, service, tree, {**disabled, **services})
        _counts(name, service)
        _targets(name, service)
    for kind in ("secrets", "configs"):
        for name, entry in (tree.get(kind) or {}).items():
            _content(kind, name, entry or {})
    for name, entry in (tree.get("networks") or {}).items():
        _external("network", name, entry or {}, ("name",))
    for name, entry in (tree.get("volumes") or {}).items():
        _external("volume", name, entry or {}, ("name",))
    _container_names(services)
    _cycles(services)


def _image(name: str, service: Tree) -> None:
    build = service.get("build")
    if build is None and not service.get("image") and not service.get("provider"):
        raise InvalidInput(f'service "{name}" has neither an image nor a build context specified: invalid compose project')
    if build and build.get("dockerfile_inline") and build.get("dockerfile"):
        raise InvalidInput(f'service "{name}" declares mutualy exclusive dockerfile and dockerfile_inline: invalid compose project')
    if build and build.get("platforms") and service.get("platform") and service["platform"] not in build["platforms"]:
        raise InvalidInput(f"service.build.platforms MUST include service.platform {service['platform']!r} ")
    if service.get("network_mode") and service.get("networks"):
        raise InvalidInput(f"service {name} declares mutually exclusive `network_mode` and `networks`: invalid compose project")


def _references(name: str, service: Tree, tree: Tree, services: Tree) -> None:
    for network in service.get("networks") or ():
        if network not in (tree.get("networks") or {}):
            raise InvalidInput(f'service "{name}" refers to undefined network {network}: invalid compose project')
    for mount in service.get("volumes") or ():
        source = mount.get("source")
        if mount.get("type") == "volume" and source and source not in (tree.get("volumes") or {}):
            raise InvalidInput(f'service "{name}" refers to undefined volume {source}: invalid compose project')
    for kind, what in (("secrets", "secret"), ("configs", "config"), ("models", "model")):
        wanted = service.get(kind) or ()
        for entry in wanted:
            source = entry if isinstance(entry, str) else entry.get("source")
            if source not in (tree.get(kind) or {}):
                raise InvalidInput(f'service "{name}" refers to undefined {what} {source}: invalid compose project')
    for entry in (service.get("build") or {}).get("secrets") or ():
        if entry.get("source") not in (tree.get("secrets") or {}):
            raise InvalidInput(f'service "{name}" refers to undefined build secret {entry.get("source")}: invalid compose project')
    for other, entry in (service.get("depends_on") or {}).items():
        if other not in services and entry.get("required", True):
            raise InvalidInput(f'service "{name}" depends on undefined service "{other}": invalid compose project')
    for key in ("network_mode", "ipc", "pid"):
        mode = service.get(key)
        if isinstance(mode, str) and mode.startswith("service:") and mode.removeprefix("service:") not in services:
            raise InvalidInput(f'service "{mode.removeprefix("service:")}" not found for {key} \'{mode}\'')


def _counts(name: str, service: Tree) -> None:
    deploy = service.get("deploy") or {}
    if "scale" in service and deploy.get("replicas") is not None and service["scale"] != deploy["replicas"]:
        raise InvalidInput(f"services.{name}: can't set distinct values on 'scale' and 'deploy.replicas': invalid compose project")
    count = service.get("scale", deploy.get("replicas", 1))
    if isinstance(count, int | float) and not 0 <= count <= MOST_CONTAINERS:
        raise InvalidInput(f"services.{name}: {count} containers: from 0 to {MOST_CONTAINERS} are possible")
    if service.get("container_name") and isinstance(count, int) and count > 1:
        raise InvalidInput(
            f'services.{name}: can\'t set container_name and {"scale" if "scale" in service else "deploy.replicas"} as '
            "container name must be unique: invalid compose project"
        )
    limits = (deploy.get("resources") or {}).get("limits") or {}
    reserved = (deploy.get("resources") or {}).get("reservations") or {}
    for key, other, place in (
        ("cpus", limits.get("cpus"), "limits.cpus"), ("mem_limit", limits.get("memory"), "limits.memory"),
        ("pids_limit", limits.get("pids"), "limits.pids"), ("mem_reservation", reserved.get("memory"), "reservations.memory"),
    ):  # fmt: skip
        if service.get(key) is not None and other is not None and service[key] != other:
            raise InvalidInput(
                f"services.{name}: can't set distinct values on '{key}' and 'deploy.resources.{place}': invalid compose project"
            )


def _targets(name: str, service: Tree) -> None:
    seen: dict[str, str] = {}
    for target, what in _mount_targets(service):
        if target in seen:
            raise InvalidInput(f"services.{name}.{what}: target {target} already mounted as services.{name}.{seen[target]}")
        seen[target] = what
    health = service.get("healthcheck") or {}
    test = health.get("test")
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidInput(f"services.{name}.healthcheck.test: must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"")


def _mount_targets(service: Tree) -> Iterator[tuple[str, str]]:
    for at, mount in enumerate(service.get("volumes") or ()):
        yield str(mount.get("target")).rstrip("/"), f"volumes[{at}]"
    for at, word in enumerate(service.get("tmpfs") or ()):
        yield word.partition(":")[0].rstrip("/"), f"tmpfs[{at}]"
    for at, entry in enumerate(service.get("secrets") or ()):
        yield str(entry.get("target")), f"secrets[{at}]"
    for at, entry in enumerate(service.get("configs") or ()):
        yield str(entry.get("target") or f"/{entry.get('source')}"), f"configs[{at}]"


def _content(kind: str, name: str, entry: dict[str, Any]) -> None:
    what = kind.removesuffix("s")
    _external(what, name, entry, ("name",))
    if entry.get("external") or entry.get("driver"):
        return
    ways = [key for key in ("file", "environment", "content") if entry.get(key) is not None]
    if not ways:
        choice = "`file` or `environment`" if what == "secret" else "`file`, `content` or `environment`"
        raise InvalidInput(f'{what} "{name}" must declare either {choice}: invalid compose project')
    if len(ways) > 1:
        raise InvalidInput(f"{kind}.{name}: {'|'.join(ways)} attributes are mutually exclusive")


def _external(what: str, name: str, entry: dict[str, Any], allowed: tuple[str, ...]) -> None:
    if not entry.get("external"):
        return
    other = [key for key in entry if key not in ("external", *allowed) and not key.startswith("x-") and entry[key] not in (None, {}, [])]
    if other:
        raise InvalidInput(f'{what}s.{name}: conflicting parameters "external" and "{other[0]}" specified: invalid compose project')


def _container_names(services: Tree) -> None:
    seen: dict[str, str] = {}
    for name, service in services.items():
        own = service.get("container_name")
        if own and own in seen:
            raise InvalidInput(f'services.{name}: container name "{own}" is already in use by service {seen[own]}: invalid compose project')
        if own:
            seen[own] = name


def _cycles(services: Tree) -> None:
    done: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> None:
        if name in chain:
            raise InvalidInput(f"dependency cycle detected: {' -> '.join((*chain[chain.index(name):], name))}")
        if name in done or name not in services:
            return
        if len(chain) > DEEPEST:
            raise InvalidInput(f"more than {DEEPEST} services depend on one another")
        for other in services[name].get("depends_on") or ():
            visit(other, (*chain, name))
        done.add(name)

    for name in services:
        visit(name, ())
