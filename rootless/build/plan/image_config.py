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
