"""A service as the engine's request for a container: what `create` is asked for, of every key that a container has."""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.compose.converge.request_mounts import mounts
from rootless.compose.converge.request_network import network
from rootless.compose.load.project import Project
from rootless.compose.load.values import nanoseconds
from rootless.compose.plan import names
from rootless.compose.plan.service_hash import service_hash
from rootless.engine.cdi import requests
from rootless.engine.cdi.requests import DeviceRequest
from rootless.engine.cdi.specs import is_name
from rootless.engine.lifecycle.request import Request
from rootless.engine.options import security_words
from rootless.engine.options.health import NOTHING_ASKED, HealthRequest
from rootless.engine.options.resources import Resources, parse_cpus
from rootless.engine.options.userns import parse as parse_userns
from rootless.engine.options.values import DeviceOption, Ulimit, parse_device, parse_ulimit
from rootless.engine.state.config import LogConfig, RestartPolicy, Security
from rootless.engine.state.logs import options as log_options
from rootless.engine.state.restart import parse as parse_restart
from rootless.errors import InvalidInput
from rootless.image import run_config
from rootless.storage.images import Image


class Place(NamedTuple):
    """What depends on the moment. `containers`: the first container of each service, by its id; `inherited` as
    request_mounts; `extra_labels` besides those of compose."""

    name: str
    number: int
    containers: dict[str, str]
    inherited: dict[str, str] = {}
    oneoff: bool = False
    extra_labels: dict[str, str] = {}
    aliases: bool = True
    publish: bool = True
    auto_remove: bool = False
    detached: bool = True


def service_request(project: Project, service: str, image: Image, place: Place) -> Request:
    """The request. InvalidInput, NotFound, NotSupported for what the service asks and cannot be had."""
    config = project.services[service]
    entrypoint, command = config.get("entrypoint"), config.get("command")
    if command == [] and entrypoint is None:
        # Explicitly empty: the image's entry point without the image's arguments.
        entrypoint = [word.text for word in run_config.read(image.config.get("config")).entrypoint]
    labels = names.container_labels(
        project, service, place.number, oneoff=place.oneoff, config_hash=service_hash(project, config), image_id=image.id
    )
    grace = config.get("stop_grace_period")
    return Request(
        image=names.image_name(project, service),
        name=place.name,
        entrypoint=entrypoint,
        cmd=list(command or ()),
        env=_environment(config.get("environment") or {}),
        workdir=str(config.get("working_dir") or ""),
        user=str(config.get("user") or ""),
        group_add=list(config.get("group_add") or ()),
        hostname=str(config.get("hostname") or ""),
        domainname=str(config.get("domainname") or ""),
        tty=bool(config.get("tty")),
        open_stdin=bool(config.get("stdin_open")),
        init=bool(config.get("init")),
        read_only=bool(config.get("read_only")),
        labels={**(config.get("labels") or {}), **labels, **place.extra_labels},
        annotations=dict(config.get("annotations") or {}),
        mounts=mounts(project, config, place.inherited),
        volumes_from=[_volumes_from(word, place) for word in config.get("volumes_from") or ()],
        devices=[_device(entry) for entry in config.get("devices") or () if not is_name(str(entry["source"]))],
        cdi=_cdi(config),
        ulimits=ulimits(config.get("ulimits") or {}),
        sysctls=dict(config.get("sysctls") or {}),
        shm_size=int(config.get("shm_size") or 64 * 1024 * 1024),
        stop_signal=str(config.get("stop_signal") or ""),
        stop_timeout=None if grace is None else -(-nanoseconds(grace, "stop_grace_period") // 10**9),
        oom_score_adj=_oom_score(config.get("oom_score_adj")),
        pid=_namespace(config, "pid", ("host", "private"), place),
        ipc=_namespace(config, "ipc", ("host", "private", "shareable", "none"), place),
        uts=_namespace(config, "uts", ("host", "private"), place),
        userns=_userns(config),
        cgroupns=str(config.get("cgroup") or ""),
        resources=_resources(config),
        cgroup_parent=str(config.get("cgroup_parent") or ""),
        platform=str(config.get("platform") or ""),
        network=network(project, service, mode=_network_mode(config, place), aliases=place.aliases, publish=place.publish),
        log=_log(config),
        security=_security(config),
        restart=_restart(config) if not place.oneoff else {"name": "no", "retries": 0},
        health=_health(config),
        auto_remove=place.auto_remove,
        attached=[] if place.detached else ["stdout", "stderr", *["stdin"] * bool(config.get("stdin_open"))],
    )


def _environment(asked: dict[str, Any]) -> list[str]:
    for key in asked:
        if not key or "=" in key:
            raise InvalidInput(f"invalid environment variable: {key!r}")
    return [f"{key}={value}" for key, value in asked.items() if value is not None]


def _oom_score(value: Any) -> int | None:
    if value is None:
        return None
    if not -1000 <= int(value) <= 1000:
        raise InvalidInput(f"Invalid value {value}, range for oom score adj is [-1000, 1000]")
    return int(value)


def _first(service: str, place: Place, key: str) -> str:
    if service not in place.containers:
        raise InvalidInput(f"{key}: service {service} has no container")
    return place.containers[service]


def _network_mode(config: dict[str, Any], place: Place) -> str:
    mode = str(config.get("network_mode") or "")
    if mode.startswith("service:"):
        return "container:" + _first(mode.removeprefix("service:"), place, "network_mode")
    if not mode and not config.get("networks"):
        return "none"
    return mode


def _namespace(config: dict[str, Any], key: str, modes: tuple[str, ...], place: Place) -> str:
    word = str(config.get(key) or "")
    if word.startswith("service:"):
        return "container:" + _first(word.removeprefix("service:"), place, key)
    if word in ("", *modes) or (word.startswith("container:") and key != "uts"):
        return word
    raise InvalidInput(f"{key}: invalid mode: {word}", hint=f"{', '.join(modes)}, service:NAME")


def _volumes_from(word: str, place: Place) -> str:
    if word.startswith("container:"):
        return word.removeprefix("container:")
    service, colon, access = word.partition(":")
    return _first(service, place, "volumes_from") + colon + access


def _userns(config: dict[str, Any]) -> str:
    word = str(config.get("userns_mode") or "")
    parse_userns(word)
    return word


def _cdi(config: dict[str, Any]) -> list[str]:
    """Devices by name: of `devices`, `gpus` and reservations."""
    named = [str(entry["source"]) for entry in config.get("devices") or () if is_name(str(entry["source"]))]
    reserved = ((config.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    asked = [("gpu", one) for one in config.get("gpus") or ()] + [("", one) for one in reserved.get("devices") or ()]
    return requests.names([
        DeviceRequest("cdi", ids=tuple(named)),
        *(DeviceRequest(
            str(one.get("driver") or ""), _count(one.get("count")), tuple(map(str, one.get("device_ids") or ())),
            (*[default] * bool(default), *map(str, one.get("capabilities") or ())), bool(one.get("options")),
        ) for default, one in asked),
    ])  # fmt: skip


def _count(value: Any) -> int:
    try:
        return int(value or 0)
    except (ValueError, OverflowError):
        raise InvalidInput(f"invalid count of devices: {value}", hint="a number, or all") from None


def _device(entry: dict[str, Any]) -> DeviceOption:
    source = str(entry["source"])
    return parse_device(f"{source}:{entry.get('target') or source}:{entry.get('permissions') or 'rwm'}")


def ulimits(asked: dict[str, Any]) -> list[Ulimit]:
    """`nofile: 1024`, or with soft and hard."""
    words = [
        f"{name}={value['soft']}:{value['hard']}" if isinstance(value, dict) else f"{name}={value}" for name, value in asked.items()
    ]
    return [parse_ulimit(word) for word in words]


def _resources(config: dict[str, Any]) -> Resources:
    deploy = (config.get("deploy") or {}).get("resources") or {}
    limits, reserved = deploy.get("limits") or {}, deploy.get("reservations") or {}
    blkio = config.get("blkio_config") or {}
    asked = {
        "memory": config.get("mem_limit") or limits.get("memory"),
        "memory_reservation": config.get("mem_reservation") or reserved.get("memory"),
        "memory_swap": config.get("memswap_limit"),
        "nano_cpus": _cpus(config.get("cpus") or limits.get("cpus")),
        "cpu_shares": config.get("cpu_shares"), "cpu_period": config.get("cpu_period"), "cpu_quota": config.get("cpu_quota"),
        "cpuset_cpus": config.get("cpuset"), "pids_limit": config.get("pids_limit") or limits.get("pids"),
        "blkio_weight": blkio.get("weight"),
        **{key: [{"path": one["path"], "rate": one["rate"]} for one in blkio.get(key) or ()]
           for key in ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")},
    }  # fmt: skip
    return {key: _number(key, value) for key, value in asked.items() if value}  # type: ignore[return-value]


def _number(key: str, value: Any) -> Any:
    if key in ("cpu_shares", "cpu_period", "cpu_quota", "pids_limit", "blkio_weight"):
        try:
            return int(value)
        except (ValueError, OverflowError):
            raise InvalidInput(f"{key}: invalid number: {value}") from None
    return value


def _cpus(value: Any) -> int:
    return parse_cpus(f"{float(value):.9f}") if value else 0


def _log(config: dict[str, Any]) -> LogConfig:
    asked = config.get("logging") or {}
    return log_options.parse(str(asked.get("driver") or "json-file"), dict(asked.get("options") or {}))


def _security(config: dict[str, Any]) -> Security:
    privileged = bool(config.get("privileged"))
    found: Security = {
        "privileged": privileged,
        "cap_add": list(config.get("cap_add") or ()),
        "cap_drop": list(config.get("cap_drop") or ()),
        "no_new_privileges": not privileged,
        "seccomp": "",
        "apparmor": "",
        "label": [],
        "unmask": [],
        "mask": [],
    }
    for word in config.get("security_opt") or ():
        security_words.apply(found, word)
    return found


def _restart(config: dict[str, Any]) -> RestartPolicy:
    word = str(config.get("restart") or "")
    deploy = (config.get("deploy") or {}).get("restart_policy")
    if not word and deploy:
        condition = deploy.get("condition") or "any"
        attempts = deploy.get("max_attempts")
        word = {"none": "no", "any": "always"}.get(condition, "on-failure" + (f":{attempts}" if attempts else ""))
    name, retries = parse_restart(word or "no")
    return {"name": name, "retries": retries}


def _health(config: dict[str, Any]) -> HealthRequest:
    asked = config.get("healthcheck") or {}
    if asked.get("disable"):
        return {**NOTHING_ASKED, "test": ["NONE"]}
    if not asked:
        return NOTHING_ASKED

    def period(key: str) -> int | None:
        return None if asked.get(key) is None else nanoseconds(asked[key], f"healthcheck.{key}")

    return {
        "test": list(asked.get("test") or ()),
        "interval_ns": period("interval"),
        "timeout_ns": period("timeout"),
        "start_period_ns": period("start_period"),
        "start_interval_ns": period("start_interval"),
        "retries": None if asked.get("retries") is None else int(asked["retries"]),
        "on_failure": "none",
    }
