"""One syntax for everything: what a file may write in several ways becomes the longest of them.

Each document by itself, before it is merged with others, so that maps meet maps. Defaults are not filled in here
(defaults.py): those of an override would hide what the file below it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.compose.load import short
from rootless.compose.load.paths_of_keys import PathTable, shown
from rootless.compose.load.values import duration, mapping, several, size, text, words
from rootless.errors import InvalidInput
from rootless.yamltext.document import Path, Tree

Change = Callable[[Any, str], Any]


def _build(value: Any, what: str) -> Any:
    return {"context": value} if isinstance(value, str) else value


def _depends_on(value: Any, what: str) -> Any:
    if isinstance(value, list):
        return {name: {"condition": "service_started", "required": True} for name in value}
    return value


def _networks(value: Any, what: str) -> Any:
    return dict.fromkeys(value) if isinstance(value, list) else value


def _models(value: Any, what: str) -> Any:
    return dict.fromkeys(value) if isinstance(value, list) else value


def _env_file(value: Any, what: str) -> Any:
    return [one if isinstance(one, dict) else {"path": text(one), "required": True} for one in several(value)]


def _sources(value: Any, what: str) -> Any:
    return [one if isinstance(one, dict) else {"source": text(one)} for one in several(value)]


def _extends(value: Any, what: str) -> Any:
    return {"service": value} if isinstance(value, str) else value


def _ports(value: Any, what: str) -> Any:
    return [entry for at, one in enumerate(several(value)) for entry in short.ports(one, f"{what}[{at}]")]


def _volumes(value: Any, what: str) -> Any:
    return [short.volume(one, f"{what}[{at}]") for at, one in enumerate(several(value))]


def _devices(value: Any, what: str) -> Any:
    return [short.device(one, f"{what}[{at}]") for at, one in enumerate(several(value))]


def _requests(value: Any, what: str) -> Any:
    return short.devices_wanted(value)


def _texts(value: Any, what: str) -> Any:
    return [text(one) for one in several(value)]


def _filled(value: Any, what: str) -> Any:
    return [text(one) for one in several(value) if one != ""]


def _scalar_text(value: Any, what: str) -> Any:
    return text(value)


def _pairs(value: Any, what: str) -> Any:
    return mapping(value)


def _environment(value: Any, what: str) -> Any:
    return mapping(value, keep_null=True)


def _test(value: Any, what: str) -> Any:
    return ["CMD-SHELL", value] if isinstance(value, str) else [text(one) for one in several(value)]


def _ssh(value: Any, what: str) -> Any:
    if isinstance(value, dict):
        return [key if path in (None, "") else f"{key}={text(path)}" for key, path in value.items()]
    return [text(one) for one in several(value)]


def _external(value: Any, what: str) -> Any:
    return {"name": value["name"]} if isinstance(value, dict) and "name" in value else bool(value)


def _cpus(value: Any, what: str) -> Any:
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput(f"{what}: invalid number of CPUs: '{value}'") from None
    return int(number) if number.is_integer() else number


_SERVICE: dict[str, Change] = {
    "annotations": _pairs, "build": _build, "build.additional_contexts": _pairs, "build.args": _environment,
    "build.extra_hosts": short.extra_hosts, "build.labels": _pairs, "build.secrets": _sources, "build.shm_size": size,
    "build.ssh": _ssh, "command": words, "configs": _sources, "cpus": _cpus, "depends_on": _depends_on,
    "deploy.labels": _pairs, "deploy.resources.limits.cpus": _cpus, "deploy.resources.limits.memory": size,
    "deploy.resources.reservations.cpus": _cpus, "deploy.resources.reservations.memory": size,
    "deploy.resources.reservations.devices": _requests, "deploy.restart_policy.delay": duration,
    "deploy.restart_policy.window": duration, "deploy.update_config.delay": duration, "deploy.update_config.monitor": duration,
    "deploy.rollback_config.delay": duration, "deploy.rollback_config.monitor": duration,
    "develop.watch.*.include": _texts, "develop.watch.*.ignore": _texts,
    "develop.watch.*.exec.command": words, "develop.watch.*.exec.environment": _environment, "devices": _devices, "dns": _filled,
    "dns_opt": _texts, "dns_search": _filled, "entrypoint": words, "env_file": _env_file, "environment": _environment, "expose": _texts,
    "extends": _extends, "extra_hosts": short.extra_hosts, "gpus": _requests, "group_add": _texts, "healthcheck.test": _test,
    "healthcheck.interval": duration, "healthcheck.timeout": duration, "healthcheck.start_period": duration,
    "healthcheck.start_interval": duration, "label_file": _texts, "labels": _pairs, "logging.options": _pairs, "mem_limit": size,
    "mem_reservation": size, "memswap_limit": size, "models": _models, "networks": _networks, "networks.*.driver_opts": _pairs,
    "ports": _ports, "secrets": _sources, "shm_size": size, "stop_grace_period": duration, "storage_opt": _pairs, "sysctls": _pairs,
    "tmpfs": _texts, "volumes": _volumes, "volumes.*.tmpfs.size": size, "volumes.*.volume.labels": _pairs,
    "blkio_config.device_read_bps.*.rate": size, "blkio_config.device_write_bps.*.rate": size,
    "blkio_config.device_read_iops.*.rate": size, "blkio_config.device_write_iops.*.rate": size,
    **{f"{hook}.*.{key}": change for hook in ("post_start", "pre_stop", "pre_start")
       for key, change in (("command", words), ("environment", _environment))},
}  # fmt: skip
CHANGES = PathTable[Change](
    {f"services.*.{path}": change for path, change in _SERVICE.items()}
    | {
        "networks.*.labels": _pairs, "networks.*.driver_opts": _pairs, "volumes.*.labels": _pairs, "volumes.*.driver_opts": _pairs,
        "secrets.*.labels": _pairs, "configs.*.labels": _pairs, "name": _scalar_text,
        **{f"{kind}.*.external": _external for kind in ("networks", "volumes", "secrets", "configs")},
    }
)  # fmt: skip
_NULL_MEANS_SOMETHING = PathTable[bool]({"services.*.command": True, "services.*.entrypoint": True})


PORTS_MAX = 200_000
"""That the ranges of one document may come to."""


def canonical(tree: Tree) -> Tree:
    """The document in its longest syntax. InvalidInput names the path."""
    ports = sum(short.port_count(one) for service in (tree.get("services") or {}).values() for one in several((service or {}).get("ports")))
    if ports > PORTS_MAX:
        raise InvalidInput(f"{ports} ports are published: at most {PORTS_MAX} can be")
    found: Tree = _change(tree, ())
    _move_external_names(found)
    return found


def _change(value: Any, path: Path) -> Any:
    change = CHANGES.at(path)
    if change is not None and (value is not None or _NULL_MEANS_SOMETHING.at(path)):
        value = change(value, shown(path))
    if isinstance(value, dict):
        return {key: _change(one, (*path, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_change(one, (*path, at)) for at, one in enumerate(value)]
    return value


def _move_external_names(tree: Tree) -> None:
    """`external: {name: x}` of old is `external: true` and `name: x`."""
    for kind in ("networks", "volumes", "secrets", "configs"):
        for key, entry in (tree.get(kind) or {}).items():
            if isinstance(entry, dict) and isinstance(entry.get("external"), dict):
                if entry.get("name", entry["external"]["name"]) != entry["external"]["name"]:
                    raise InvalidInput(f"{kind}.{key}: name and external.name conflict; only use name")
                entry["name"], entry["external"] = entry["external"]["name"], True
