"""What `create` refuses, since it could never start: one rule a function, in the order of their errors. Hot path."""

from __future__ import annotations

import os

from rootless.engine.options.signals import parse_signal
from rootless.engine.state import resources
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.storage import host_images


def check(record: ContainerConfig) -> None:
    """Raise the error of the first rule that the configuration breaks: InvalidInput, or NotFound for a path."""
    for rule in _RULES:
        rule(record)


def _user_namespace_of_its_own(record: ContainerConfig) -> None:
    if record["userns"] in ("", "host", "private") or record.get("pod"):
        return  # a pod's is its infra's, whose map the container has
    for mode in (record["network"]["mode"], record["pid"], record["ipc"], record["uts"]):
        if mode.startswith("container:"):
            raise InvalidInput(
                f"conflicting options: --userns={record['userns']} and a namespace of another container",
                hint="a container that joins another one's namespaces has its ids",
            )


def _emulated_ids(record: ContainerConfig) -> None:
    if record.get("ids", "off") in ("off", "auto"):
        return
    if record["userns"] not in ("", "host", "private"):
        raise InvalidInput(
            f"conflicting options: --emulate-ids={record.get('ids')} and --userns={record['userns']}",
            hint="where there are ids to choose from, none need to be emulated",
        )
    if any(limit["name"] == "rttime" for limit in record["ulimits"]):
        raise InvalidInput("conflicting options: --emulate-ids and --ulimit rttime: a process's ids are kept in that limit")


def _command(record: ContainerConfig) -> None:
    if not record["entrypoint"] and not record["cmd"]:
        if record.get("image_file"):
            hint = "the image file has no /etc/rc, which would start one: name a command after the file"
            raise InvalidInput("no command specified", hint=hint)
        raise InvalidInput("no command specified", hint="the image names none: add one after its name")


def _working_directory(record: ContainerConfig) -> None:
    if not record["workdir"].startswith("/"):
        raise InvalidInput(
            f"the working directory '{record['workdir']}' is invalid, it needs to be an absolute path"
        )


def _stop_signal(record: ContainerConfig) -> None:
    parse_signal(record["stop_signal"])


def _limits(record: ContainerConfig) -> None:
    resources.check(record.get("resources") or {})


def _root(record: ContainerConfig) -> None:
    if record.get("image_file"):
        from rootless.engine.files.mounts import image_file

        image_file.check(record)
    elif record["rootfs"] and not os.path.isdir(record["rootfs"]):
        raise NotFound(f"--rootfs {record['rootfs']}: no such directory")


def _over_host(record: ContainerConfig) -> None:
    if record["labels"].get(host_images.LABEL) == "host" and not record.get("over_host"):
        raise NotSupported(
            f"the image {record['image']} is what was changed of another machine's own files, or says so",
            hint="it would get this machine's for the rest: make it here, by `rootless run host` and `rootless commit`",
        )


def _bind_sources(record: ContainerConfig) -> None:
    for mount in record["mounts"]:
        if mount["type"] == "bind" and not os.path.exists(mount["source"]):
            from rootless.engine.files.mounts import bind_sources

            bind_sources.check(mount)


def _devices(record: ContainerConfig) -> None:
    for device in record["devices"]:
        if not os.path.exists(device["source"]):
            raise NotFound(f"error gathering device information while adding custom device \"{device['source']}\": "
                           "no such file or directory")  # fmt: skip


def _restart_policy(record: ContainerConfig) -> None:
    if record["auto_remove"] and record["restart"]["name"] not in ("", "no"):
        raise InvalidInput("conflicting options: cannot specify both --restart and --rm")


def _hostname(record: ContainerConfig) -> None:
    if len(record["hostname"]) > 64 or any(c.isspace() or c == "/" for c in record["hostname"]):
        raise InvalidInput(
            f"invalid hostname: '{record['hostname']}'", hint="at most 64 letters, digits, . and -"
        )


def _published_ports(record: ContainerConfig) -> None:
    network = record["network"]
    if (network["ports"] or network["publish_all"]) and network["mode"].startswith("container:"):
        raise InvalidInput(
            "conflicting options: port publishing and the container type network mode",
            hint="publish the ports with the container whose network it is",
        )


_RULES = (
    _user_namespace_of_its_own, _emulated_ids, _command, _working_directory, _stop_signal, _limits, _root, _over_host, _bind_sources,
    _devices, _restart_policy, _hostname, _published_ports,
)  # fmt: skip
