"""The body of POST /containers/create as the engine's request. Whatever it asks for is done, or refused by name."""

from __future__ import annotations

from rootless.api.request import host_config, mounts, networking, security
from rootless.api.request.fields import Fields
from rootless.api.request.resources import resources, ulimits
from rootless.engine.lifecycle.request import Request
from rootless.engine.options import names
from rootless.engine.options.health import NOTHING_ASKED, SHORTEST_NS, HealthRequest
from rootless.engine.options.ids import parse_ids
from rootless.engine.options.values import merge_env
from rootless.errors import InvalidInput
from rootless.storage.store import Store

_SHM_SIZE = 64 * 1024 * 1024


def to_request(store: Store, body: Fields, *, name: str, platform: str) -> Request:
    """The request; `name` and `platform` come by the query. InvalidInput, NotSupported."""
    host = body.object("HostConfig")
    host_config.refuse(host)
    tty = body.flag("Tty")
    entrypoint = body.command("Entrypoint")
    if entrypoint == [""]:
        entrypoint = []
    hostname, domainname = str(body.text("Hostname")), str(body.text("Domainname"))
    if not (hostname + domainname).isprintable():
        raise InvalidInput("invalid hostname: it has control characters")
    image = str(body.text("Image"))
    if not image:
        raise InvalidInput("config.Image cannot be empty: name the image of the container")
    return Request(
        image=image,
        name=names.check(name),
        entrypoint=None if entrypoint is None else [*entrypoint],
        cmd=[*(body.command("Cmd") or [])],
        env=merge_env([_variable(word) for word in body.texts("Env") if "=" in word]),
        workdir=body.text("WorkingDir"),
        user=body.text("User"),
        group_add=[*host.texts("GroupAdd")],
        cidfile=host.text("ContainerIDFile"),
        hostname=hostname,
        domainname=domainname,
        tty=tty,
        open_stdin=body.flag("OpenStdin"),
        stdin_once=body.flag("StdinOnce"),
        auto_remove=host.flag("AutoRemove"),
        init=host.flag("Init"),
        read_only=host.flag("ReadonlyRootfs"),
        labels={str(key): str(value) for key, value in body.pairs("Labels").items()},
        annotations={str(key): str(value) for key, value in host.pairs("Annotations").items()},
        mounts=mounts.mounts(body, host),
        volumes_from=[*host.texts("VolumesFrom")],
        devices=mounts.devices(host),
        cdi=mounts.device_requests(host),
        ulimits=ulimits(host),
        sysctls={str(key): str(value) for key, value in host.pairs("Sysctls").items()},
        shm_size=_size(host.number("ShmSize")),
        stop_signal=body.text("StopSignal"),
        stop_timeout=body.optional("StopTimeout"),
        oom_score_adj=host_config.oom_score(host),
        pid=host_config.shared(host, "PidMode", ("host", "private")),
        ipc=host_config.shared(host, "IpcMode", ("host", "private", "shareable", "none")),
        uts=host_config.shared(host, "UTSMode", ("host", "private")),
        userns=host_config.userns(host),
        ids=parse_ids(str(host.text("EmulateIds"))),
        cgroupns=host_config.cgroupns(host),
        resources=resources(host),
        cgroup_parent=host.text("CgroupParent"),
        platform=platform,
        network=networking.network(body, host, body.object("NetworkingConfig")),
        log=host_config.log(host),
        security=security.confinement(store, host),
        restart=host_config.restart(host.object("RestartPolicy")),
        health=_health(body.object("Healthcheck")),
        attached=[stream for stream in ("stdin", "stdout", "stderr") if body.flag(f"Attach{stream}")],
    )


def _variable(word: str) -> str:
    if word.startswith("="):
        raise InvalidInput(f"invalid environment variable: {word[:100]}")
    return word


def _size(number: int) -> int:
    if number < 0:
        raise InvalidInput("SHM size can not be less than 0")
    return number or _SHM_SIZE


def _health(fields: Fields) -> HealthRequest:
    """Healthcheck: times in nanoseconds, 0 leaves it to the image."""
    test = [*map(str, fields.texts("Test"))]
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidInput(f"invalid Healthcheck: {test[0]!r} is none of NONE, CMD and CMD-SHELL")

    def time(name: str) -> int | None:
        number = fields.number(name)
        if number < 0 or 0 < number < SHORTEST_NS:
            raise InvalidInput(f"{name} in Healthcheck cannot be less than 1ms")
        return number or None

    retries = fields.number("Retries")
    if retries < 0:
        raise InvalidInput("Retries in Healthcheck cannot be negative")
    return {
        **NOTHING_ASKED,
        "test": test,
        "interval_ns": time("Interval"),
        "timeout_ns": time("Timeout"),
        "start_period_ns": time("StartPeriod"),
        "start_interval_ns": time("StartInterval"),
        "retries": retries or None,
    }
