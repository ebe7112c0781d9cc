"""`container inspect`: a container in the shape of Docker's ContainerInspect (API v1.51), and who we really are.

Every field of Docker's is there with its type; what is ours alone stands behind its fields.
"""

from __future__ import annotations

from typing import Any

from rootless.engine.options import clock
from rootless.engine.options.health import to_docker
from rootless.engine.options.mount_config import Mount, is_anonymous
from rootless.engine.state import confinement, exec_instances, health, pods, restart, running
from rootless.engine.state.config import ContainerConfig, argv, read_config
from rootless.engine.views.host_config import PROPAGATIONS, host_config
from rootless.engine.views.network_settings import network_settings
from rootless.engine.views.types import container, gotypes
from rootless.storage.containers import containers
from rootless.storage.containers.status import ContainerStatus
from rootless.storage.store import Store


def inspect(store: Store, reference: str, *, size: bool = False) -> gotypes.Object:
    """All there is to know about one container; NotFound where there is none."""
    identifier = containers.find(store, reference)
    record = read_config(store, identifier)
    state = running.read_state(store, identifier)
    status = containers.status(store, identifier)
    command = argv(record)
    policy = restart.of(store, record)
    directory = containers.directory(store, identifier)
    found: dict[str, Any] = {
        "Id": identifier,
        "Created": record["created_at"],
        "Path": command[0] if command else "",
        "Args": command[1:],
        "State": _state(store, record, state, status),
        "Image": record["image_id"],
        "ResolvConfPath": f"{directory}/resolv.conf",
        "HostnamePath": f"{directory}/hostname",
        "HostsPath": f"{directory}/hosts",
        "LogPath": "" if record["log"]["driver"] == "none" else f"{directory}/container.log",
        "Name": "/" + (containers.name_of(store, identifier) or identifier[:12]),
        "RestartCount": policy.restarts,
        "Driver": str(state.get("driver") or _driver(store)),
        "Platform": "linux",
        "AppArmorProfile": record["security"]["apparmor"],
        "ExecIDs": exec_instances.unfinished(store, identifier) or None,
        "HostConfig": host_config(record, policy, state),
        "GraphDriver": _graph_driver(store, record, state),
        "Mounts": [mount_point(store, mount) for mount in record["mounts"]],
        "Config": _config(record),
        "NetworkSettings": network_settings(record, pods.with_network(store, record, state), running_now=bool(status.pid)),
        "EmulatedIds": {"Level": str(state.get("ids") or ""), "Why": str(state.get("ids_why") or "")},
        "Walls": confinement.of_container(record, status.pid),
    }
    if record.get("pod"):
        found |= {"Pod": record["pod"], "IsInfra": bool(record.get("infra"))}
    if size:
        found["SizeRw"], found["SizeRootFs"] = sizes(store, record)
    return gotypes.build(container.TYPES, "container.InspectResponse", found)


def sizes(store: Store, record: ContainerConfig) -> tuple[int, int]:
    """Bytes that the container has written, and those with its image's."""
    from rootless.storage.layers import layers
    from rootless.storage.maintenance import usage

    written = usage.container_bytes(store, record["id"])
    return written, written + sum(layers.size(store, diff_id) for diff_id in record["diff_ids"])


def _driver(store: Store) -> str:
    from rootless.storage.drivers.choose import remembered

    return remembered(store)


def _state(store: Store, record: ContainerConfig, state: dict[str, Any], status: ContainerStatus) -> dict[str, Any]:
    return {
        "Status": status.state,
        "Running": status.state in ("running", "paused", "restarting"),
        "Paused": status.state == "paused",
        "Restarting": status.state == "restarting",
        "OOMKilled": status.oom_killed,
        "Dead": False,
        "Pid": status.pid,
        "ExitCode": status.exit_code,
        "Error": status.error,
        "StartedAt": status.started_at or clock.NEVER,
        "FinishedAt": status.finished_at or clock.NEVER,
        "Health": health.of(store, record, state),
        "MonitorPid": int(state.get("monitor_pid") or 0) if status.pid else 0,
    }


def _config(record: ContainerConfig) -> dict[str, Any]:
    check = record.get("healthcheck")
    network = record["network"]
    published = (f"{port[2]}/{port[3]}" for port in network["ports"])
    attached = record.get("attached") or []
    return {
        "Hostname": record["hostname"],
        "Domainname": record["domainname"],
        "User": record["user"],
        "AttachStdin": "stdin" in attached,
        "AttachStdout": "stdout" in attached,
        "AttachStderr": "stderr" in attached,
        "ExposedPorts": {port: {} for port in sorted({*network["exposed"], *published})},
        "Tty": record["tty"],
        "OpenStdin": record["open_stdin"],
        "StdinOnce": record["open_stdin"] and ("stdin" in attached or record.get("stdin_once", False)),
        "Env": record["env"],
        "Cmd": record["cmd"] or None,
        "Healthcheck": to_docker(check) if check else None,
        "Image": record["image"],
        "Volumes": {m["target"]: {} for m in record["mounts"] if is_anonymous(m)} or None,
        "WorkingDir": record["workdir"],
        "Entrypoint": record["entrypoint"] or None,
        "Labels": record["labels"],
        "StopSignal": record["stop_signal"],
        "StopTimeout": record["stop_timeout"],
        "Timeout": record.get("timeout", 0),
    }


def _graph_driver(store: Store, record: ContainerConfig, state: dict[str, Any]) -> dict[str, Any]:
    name = str(state.get("driver") or _driver(store))
    directory = containers.directory(store, record["id"])
    if name == "directory":
        return {"Name": name, "Data": {"MergedDir": f"{directory}/rootfs"}}
    return {
        "Name": name,
        "Data": {
            "LowerDir": ":".join(
                f"{store.layers}/{diff_id.removeprefix('sha256:')}/fs"
                for diff_id in reversed(record["diff_ids"])
            ),
            "MergedDir": f"{directory}/merged",
            "UpperDir": f"{directory}/upper",
            "WorkDir": f"{directory}/work",
        },
    }


def mount_point(store: Store, mount: Mount) -> dict[str, Any]:
    """MountPoint: one of the mounts, as `inspect` and the API's list have it."""
    kind = mount["type"]
    found: dict[str, Any] = {
        "Type": kind,
        "Source": mount["source"],
        "Destination": mount["target"],
        "RW": not mount["read_only"],
    }
    if kind == "volume":
        found["Name"], found["Driver"] = mount["volume"], "local"
        found["Source"] = f"{store.volumes}/{mount['volume']}/_data"
    if kind == "image":
        found["Name"] = mount.get("image", "")
    if kind in ("tmpfs", "image", "squashfs"):
        return found
    words = [word for word in mount["options"] if word not in ("bind", "rbind", "anonymous")]
    found["Mode"] = ",".join(["ro"] * mount["read_only"] + words)
    if kind == "bind":
        found["Propagation"] = next((word for word in words if word in PROPAGATIONS), "rprivate")
    elif not found["Mode"]:
        found["Mode"] = "z"
    return found
