"""An image's configuration while a stage edits it; nothing of the base is lost, whatever field it is.

Docker's superset of the OCI's configuration: Healthcheck, OnBuild, Shell, ArgsEscaped have their place.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any


class Health(Record):
    """Docker's HealthConfig; times in nanoseconds, 0 means the default."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ImageConfig(Record):
    """The `config` object of an image. `cmd` and `entrypoint` are None where the image has none; [] is a value."""

    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    user: str = ""
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    shell: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    health: Health | None = None
    stop_signal: str = ""
    on_build: tuple[str, ...] = ()
    args_escaped: bool = False
    author: str = ""  # stands beside `config` in the image's document
    other: dict[str, Any] = {}  # fields of `config` that no instruction edits, as they were


class History(Record):
    """An entry of the image's history; `step` is the position among the stage's steps, None for metadata."""

    created_by: str
    empty_layer: bool = True
    step: int | None = None
    comment: str = "buildkit.dockerfile.v0"


_KNOWN = frozenset(
    (
        "Env", "WorkingDir", "User", "Cmd", "Entrypoint", "Shell", "Labels", "Volumes", "ExposedPorts", "Healthcheck",
        "StopSignal", "OnBuild", "ArgsEscaped",
    )
)  # fmt: skip
_HEALTH = {
    "interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "start_interval": "StartInterval",
    "retries": "Retries",
}  # fmt: skip


def from_document(document: dict[str, Any]) -> ImageConfig:
    """Of an image's document, whose types have been checked (image/config.py)."""
    config: dict[str, Any] = {
        key: value for key, value in (document.get("config") or {}).items() if value is not None
    }
    health = config.get("Healthcheck")
    return ImageConfig(
        env=tuple(_pair(entry) for entry in config.get("Env") or ()),
        workdir=config.get("WorkingDir", ""),
        user=config.get("User", ""),
        cmd=_words(config.get("Cmd")),
        entrypoint=_words(config.get("Entrypoint")),
        shell=_words(config.get("Shell")) or (),
        labels=dict(config.get("Labels") or {}),
        volumes=tuple(config.get("Volumes") or ()),
        exposed=tuple(config.get("ExposedPorts") or ()),
        health=_health(health) if health else None,
        stop_signal=config.get("StopSignal", ""),
        on_build=tuple(config.get("OnBuild") or ()),
        args_escaped=bool(config.get("ArgsEscaped")),
        author=document.get("author") or "",
        other={key: value for key, value in config.items() if key not in _KNOWN},
    )


def to_document(config: ImageConfig) -> dict[str, Any]:
    """The `config` object of the image's document; what is empty is left out, but an empty list of words stays."""
    fields: dict[str, Any] = dict(config.other)
    fields |= {
        "Env": [f"{name}={value}" for name, value in config.env],
        "WorkingDir": config.workdir,
        "User": config.user,
        "Shell": list(config.shell),
        "Labels": dict(config.labels),
        "Volumes": {path: {} for path in config.volumes},
        "ExposedPorts": {port: {} for port in config.exposed},
        "StopSignal": config.stop_signal,
        "OnBuild": list(config.on_build),
        "ArgsEscaped": config.args_escaped,
        "Healthcheck": _health_document(config.health) if config.health else None,
    }
    fields = {key: value for key, value in fields.items() if value or key not in _KNOWN}
    for key, words in (("Cmd", config.cmd), ("Entrypoint", config.entrypoint)):
        if words is not None:
            fields[key] = list(words)
    return fields


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _health(value: dict[str, Any]) -> Health:
    numbers = {name: int(value.get(key) or 0) for name, key in _HEALTH.items()}
    return Health(tuple(value.get("Test") or ()), **numbers)


def _health_document(health: Health) -> dict[str, Any]:
    numbers = {key: getattr(health, name) for name, key in _HEALTH.items()}
    return {"Test": list(health.test), **{key: value for key, value in numbers.items() if value}}
