"""HostConfig's words of their own: namespaces, the log, the restart policy; and what of it is refused."""

from __future__ import annotations

from rootless.api.request import resources
from rootless.api.request.fields import Fields
from rootless.engine.options import namespaces
from rootless.engine.options.userns import parse as parse_userns
from rootless.engine.state.config import LogConfig, RestartPolicy
from rootless.engine.state.restart import parse as parse_restart
from rootless.errors import InvalidInput, NotSupported

_REFUSED = {
    "StorageOpt": "the size of a container's files has no limit of its own; a tmpfs has one",
    "Cgroup": "a container is in no other one's control group",
}
_HARMLESS = {
    "Isolation": ("", "default"),
    "Runtime": ("", "runc", "rootless", "io.containerd.runc.v2"),
    "VolumeDriver": ("", "local"),
}


def refuse(host: Fields) -> None:
    """NotSupported for what it asks for in vain."""
    resources.refuse(host, _REFUSED)
    for name, known in _HARMLESS.items():
        if (word := host.text(name)) not in known:
            raise NotSupported(f"{name} {word!r} is not supported", hint="leave it out")


def shared(host: Fields, name: str, modes: tuple[str, ...]) -> str:
    """PidMode, IpcMode, UTSMode."""
    return namespaces.shared(host.text(name), name.removesuffix("Mode").lower(), modes)


def userns(host: Fields) -> str:
    """UsernsMode: Docker's host, Podman's modes."""
    word = str(host.text("UsernsMode"))
    parse_userns(word)
    return word


def cgroupns(host: Fields) -> str:
    """CgroupnsMode."""
    word = str(host.text("CgroupnsMode"))
    if word not in ("", "private", "host"):
        raise InvalidInput(f"invalid cgroup namespace mode: {word}")
    return word


def oom_score(host: Fields) -> int | None:
    """OomScoreAdj; 0 is nobody's wish."""
    number = host.number("OomScoreAdj")
    if not -1000 <= number <= 1000:
        raise InvalidInput(f"Invalid value {number}, range for oom score adj is [-1000, 1000]")
    return number or None


def log(host: Fields) -> LogConfig:
    """LogConfig."""
    fields = host.object("LogConfig")
    driver = str(fields.text("Type")) or "json-file"
    options = {str(key): str(value) for key, value in fields.pairs("Config").items()}
    if driver == "json-file" and not options:
        return {"driver": "json-file", "max_size": 0, "max_files": 1}
    from rootless.engine.state.logs import options as log_options

    return log_options.parse(driver, options)


def restart(fields: Fields) -> RestartPolicy:
    """RestartPolicy."""
    name, retries = str(fields.text("Name")), fields.number("MaximumRetryCount")
    if retries < 0:
        raise InvalidInput("invalid restart policy: maximum retry count cannot be negative")
    if retries and name != "on-failure":
        raise InvalidInput("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    found, number = parse_restart(f"on-failure:{retries}" if retries else name)
    return {"name": found, "retries": number}
