"""`create`: a request and an image become a container's record. Starts nothing. Hot path."""

from __future__ import annotations

import os

from rootless import user_config
from rootless.engine.lifecycle import architecture
from rootless.engine.lifecycle.create_rules import check
from rootless.engine.lifecycle.request import Request
from rootless.engine.options import clock, names
from rootless.engine.options.health import merge as merge_healthcheck
from rootless.engine.options.mount_config import Mount, image_volume
from rootless.engine.options.userns import default_user
from rootless.engine.options.values import merge_env
from rootless.engine.state import user_namespace
from rootless.engine.state.config import (
    ContainerConfig,
    Network,
)
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput
from rootless.image import run_config
from rootless.image.run_config import RunConfig
from rootless.storage import host_images, images
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.store import Store

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VERSION = 1


def create(store: Store, request: Request, image: Image | None) -> str:
    """Make a container and return its id; `image` is None for --rootfs.

    The caller has joined the session. Where this raises nothing is left: InvalidInput, NotFound for a bind source, Conflict for a name.
    """
    if request.pod and not request.infra:
        from rootless.storage import pods

        with pods.lock(store, request.pod, shared=True):  # nobody removes the pod meanwhile
            return _create(store, request, image)
    return _create(store, request, image)


def _create(store: Store, request: Request, image: Image | None) -> str:
    if request.volumes_from:
        from rootless.engine.lifecycle import volumes_from

        request = request._replace(mounts=volumes_from.mounts(store, request.mounts, request.volumes_from))
    request = _with_user_defaults(request, image)
    if request.network.get("networks") and not request.network.get("default"):
        from rootless.engine.networks import endpoint_config

        request = request._replace(network=endpoint_config.resolve(store, request.network))
    record = make_record(request, image)
    images.note_use(store, image.id if image else "")
    if image and host_images.is_one(store, image.id):
        record["over_host"] = True
    if request.id_map:
        record["id_map"] = request.id_map
    check(record)
    if image and image.published:
        from rootless.engine.images import from_store

        own_ids = bool(request.id_map) or record["userns"] not in ("", "host", "private")
        if found := from_store.take(store, image, own_ids=own_ids):
            record["store_file"] = found
    if record["devices"] or request.cdi:
        from rootless.engine.lifecycle import device_groups

        device_groups.keep(record)
    if any(mount["type"] in ("volume", "image", "squashfs") for mount in record["mounts"]):
        from rootless.engine.files.mounts import mounted_volumes

        mounted_volumes.make(store, record)
    if record["userns"] in ("", "host", "private") or request.id_map:
        return _record(store, request, record)
    with user_namespace.reserve(store):
        record["id_map"] = user_namespace.plan(store, record["userns"], *_caller(), alone=_alone(record))
        return _record(store, request, record)


def _alone(record: ContainerConfig) -> bool:
    if not record.get("image_file"):
        return False
    from rootless.engine.files.mounts import image_file

    return image_file.has_other_owners(record)


def _with_user_defaults(request: Request, image: Image | None) -> Request:
    if not user_config.settings():
        return request
    from rootless.engine.lifecycle import user_defaults

    if request.network.get("default"):
        request = request._replace(network=user_defaults.network(request.network))
    if not request.pod:  # whose ids are the infra's
        user = request.user or (run_config.read(image.config.get("config")).user.text if image else "")
        modes = (request.network["mode"], request.pid, request.ipc, request.uts)
        request = request._replace(userns=user_defaults.user_namespace(request.userns, user, modes))
    return request._replace(ids=request.ids or user_defaults.emulated_ids(request.userns, request.ulimits))


def _caller() -> tuple[int, int]:
    """The caller's uid and gid on the host; in the session they are the map's first line."""
    found = []
    for kind in ("uid", "gid"):
        with open(f"/proc/self/{kind}_map") as file:
            found.append(int(file.readline().split()[1]))
    return found[0], found[1]


def _record(store: Store, request: Request, record: ContainerConfig) -> str:
    while True:
        try:
            containers.create(store, record["id"], record["name"], dict(record), durable=not record["auto_remove"])
            events.container(store, "create", record)
            return record["id"]
        except Conflict:
            if request.name:
                raise
            # A random name was taken: another one.
            record["name"] = f"{names.random_name()}_{os.urandom(2).hex()}"


def make_record(request: Request, image: Image | None) -> ContainerConfig:
    """The record that `request` and the image's configuration describe."""
    config = run_config.read(image.config.get("config")) if image else RunConfig()
    if request.image_file:
        from rootless.engine.files.mounts import enroot_files

        config = enroot_files.read(os.path.abspath(request.rootfs))
    identifier = request.id or containers.new_id()
    entrypoint, cmd = request.entrypoint, list(request.cmd)
    if entrypoint is None:
        entrypoint = [word.text for word in config.entrypoint]
        cmd = cmd or [word.text for word in config.cmd]
    shared_host_name = request.uts == "host" or request.network["mode"] == "host"
    hostname = request.hostname or (os.uname().nodename if shared_host_name else identifier[:12])
    terminal = ["TERM=xterm"] if request.tty else []
    record: ContainerConfig = {
        "version": VERSION,
        "id": identifier,
        "name": request.name or names.random_name(),
        "created_at": clock.now(),
        "image": request.image,
        "image_id": image.id if image else "",
        "diff_ids": list(image.diff_ids) if image else [],
        "platform": request.platform,
        "rootfs": os.path.abspath(request.rootfs) if request.rootfs else "",
        "entrypoint": entrypoint,
        "cmd": cmd,
        "env": merge_env([DEFAULT_PATH, f"HOSTNAME={hostname}", *terminal], [word.text for word in config.env], request.env),
        "workdir": request.workdir or config.workdir.text or "/",
        "user": request.user or default_user(request.userns, *_caller()) or config.user.text,
        "group_add": request.group_add,
        "umask": request.umask,
        "hostname": hostname,
        "domainname": request.domainname,
        "tty": request.tty,
        "open_stdin": request.open_stdin,
        "detach_keys": request.detach_keys,
        "auto_remove": request.auto_remove,
        "init": request.init,
        "read_only": request.read_only,
        "labels": {**{key: word.text for key, word in config.labels.items()}, **request.labels},
        "annotations": request.annotations,
        "mounts": _mounts(request.mounts, config),
        "devices": request.devices,
        "ulimits": request.ulimits,
        "sysctls": request.sysctls,
        "shm_size": request.shm_size,
        "stop_signal": request.stop_signal or config.stop_signal.text or "SIGTERM",
        "stop_timeout": request.stop_timeout,
        "timeout": request.timeout,
        "oom_score_adj": request.oom_score_adj,
        "pid": request.pid,
        "ipc": request.ipc,
        "uts": request.uts,
        "userns": request.userns,
        "cgroupns": request.cgroupns,
        "resources": request.resources,
        "cgroups": request.cgroups,
        "cgroup_parent": request.cgroup_parent,
        "network": _network(request.network, config),
        "log": request.log,
        "security": request.security,
        "restart": request.restart,
        "healthcheck": merge_healthcheck(request.health, config),
        "sdnotify": request.sdnotify,
        "attached": request.attached,
        "volumes_from": request.volumes_from,
        "cidfile": request.cidfile,
    }
    for key in ("image_file", "cdi", "ids", "stdin_once", "shared", "pod", "infra", "exit_policy"):
        if value := getattr(request, key):
            record[key] = value
    if image:
        architecture.note(record, image)
    return record


def _network(asked: Network, config: RunConfig) -> Network:
    return {**asked, "exposed": sorted({*asked["exposed"], *(port.text for port in config.exposed)})}


def _mounts(asked: list[Mount], config: RunConfig) -> list[Mount]:
    """The mounts asked for, and an anonymous volume for each VOLUME of the image not covered."""
    targets = {mount["target"] for mount in asked}
    if len(targets) < len(asked):
        seen: set[str] = set()
        for mount in asked:
            if mount["target"] in seen:
                raise InvalidInput(f"Duplicate mount point: {mount['target']}")
            seen.add(mount["target"])
    every = asked + [image_volume(path) for path in dict.fromkeys(config.volumes) if path not in targets]
    # Parents before children, so that one does not cover the other.
    return sorted(every, key=lambda mount: mount["target"].count("/"))


def warnings(request: Request) -> list[str]:
    """What of the request has no effect, in Docker's words: one line each, none of them an error."""
    network, found = request.network, []
    if network.get("default") and user_config.settings():
        from rootless.engine.lifecycle import user_defaults

        network = user_defaults.network(network)
    if (network["ports"] or network["publish_all"]) and network["mode"] in ("host", "none"):
        found.append(f"Published ports are discarded when using {network['mode']} network mode")
    return found
