"""`inspect`: a container in the shape of Docker's ContainerInspect (API v1.51), and who we really are.

Fields that have no meaning without root or a daemon are left out rather than invented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.engine.state import health, placing, restart, running, walls
from rootless.engine.state.record import Record, argv
from rootless.engine.words import clock
from rootless.engine.words.health import Healthcheck
from rootless.engine.words.mounts import Mount
from rootless.errors import NotFound
from rootless.network import ports, slirp
from rootless.storage import containers
from rootless.storage.restart import Restart
from rootless.storage.store import Store


def inspect_container(store: Store, reference: str, *, size: bool = False) -> dict[str, Any]:
    """All there is to know about one container; NotFound where there is none."""
    identifier = containers.find(store, reference)
    record: Record = containers.config(store, identifier)  # type: ignore[assignment]
    state = running.read_state(store, identifier)
    command = argv(record)
    policy = restart.of(store, record)
    directory = containers.directory(store, identifier)
    found: dict[str, Any] = {
        "Id": identifier,
        "Created": record["created_at"],
        "Path": command[0] if command else "",
        "Args": command[1:],
        "State": _state(store, record, state),
        "Image": record["image_id"],
        "ResolvConfPath": f"{directory}/resolv.conf",
        "HostnamePath": f"{directory}/hostname",
        "HostsPath": f"{directory}/hosts",
        "LogPath": "" if record["log"]["driver"] == "none" else f"{directory}/container.log",
        "Name": "/" + (containers.name_of(store, identifier) or identifier[:12]),
        "RestartCount": policy.restarts,
        "Driver": state.get("driver", ""),
        "Platform": "linux",
        "AppArmorProfile": record["security"]["apparmor"],
        "Walls": walls.of_container(record, containers.status(store, identifier).pid),
        "HostConfig": _host_config(record, policy) | placing.host_config(record, state),
        "GraphDriver": {"Name": state.get("driver", ""), "Data": {"UpperDir": f"{directory}/upper"}},
        "Mounts": [_mount(store, mount) for mount in record["mounts"]],
        "Config": _config(record),
        "NetworkSettings": _network_settings(record, state, running_now=bool(containers.status(store, identifier).pid)),
    }
    if size:
        from rootless.storage import usage

        found["SizeRw"] = usage.tree_bytes(f"{directory}/upper")
    return found


def _state(store: Store, record: Record, state: dict[str, Any]) -> dict[str, Any]:
    status = containers.status(store, record["id"])
    checked = health.of(store, record, state)
    found: dict[str, Any] = {
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
        "MonitorPid": int(state.get("monitor_pid") or 0) if status.pid else 0,
    }
    return found if checked is None else {**found, "Health": checked}


def _config(record: Record) -> dict[str, Any]:
    return {
        "Hostname": record["hostname"],
        "Domainname": record["domainname"],
        "User": record["user"],
        "AttachStdin": record["open_stdin"],
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {port: {} for port in record["network"]["exposed"]},
        "Tty": record["tty"],
        "OpenStdin": record["open_stdin"],
        "Env": record["env"],
        "Cmd": record["cmd"],
        "Image": record["image"],
        "Volumes": {m["target"]: {} for m in record["mounts"] if m["type"] == "volume"},
        "WorkingDir": record["workdir"],
        "Entrypoint": record["entrypoint"],
        "Labels": record["labels"],
        "StopSignal": record["stop_signal"],
        "StopTimeout": record["stop_timeout"],
        **({"Healthcheck": _healthcheck(check)} if (check := record.get("healthcheck")) else {}),
    }


def _healthcheck(check: Healthcheck) -> dict[str, Any]:
    return {
        "Test": check["test"],
        "Interval": check["interval_ns"],
        "Timeout": check["timeout_ns"],
        "StartPeriod": check["start_period_ns"],
        "StartInterval": check["start_interval_ns"],
        "Retries": check["retries"],
    }


def _host_config(record: Record, policy: Restart) -> dict[str, Any]:
    network, security = record["network"], record["security"]
    options = ["no-new-privileges"] if security["no_new_privileges"] else []
    options += [f"landlock={word}" for word in (security.get("landlock"),) if word]
    options += [f"{key}={security[key]}" for key in ("seccomp", "apparmor") if security[key]]
    options += [f"label={label}" for label in security["label"]]
    return {
        "Binds": [_bind_word(m) for m in record["mounts"] if m["type"] != "tmpfs"],
        "Tmpfs": {m["target"]: ",".join(m["options"]) for m in record["mounts"] if m["type"] == "tmpfs"},
        "LogConfig": {
            "Type": record["log"]["driver"],
            "Config": {
                "max-size": str(record["log"]["max_size"]),
                "max-file": str(record["log"]["max_files"]),
            },
        },
        "NetworkMode": network["mode"],
        "PortBindings": _bindings(ports.from_data(network["ports"])),
        "RestartPolicy": {
            "Name": policy.name,
            "MaximumRetryCount": policy.retries,
        },
        "AutoRemove": record["auto_remove"],
        "CapAdd": security["cap_add"],
        "CapDrop": security["cap_drop"],
        "CgroupnsMode": record["cgroupns"] or "private",
        "Dns": network["dns"],
        "DnsOptions": network["dns_options"],
        "DnsSearch": network["dns_search"],
        "ExtraHosts": network["add_host"],
        "GroupAdd": record["group_add"],
        "IpcMode": record["ipc"] or "private",
        "OomScoreAdj": record["oom_score_adj"] or 0,
        "PidMode": record["pid"],
        "Privileged": security["privileged"],
        "PublishAllPorts": network["publish_all"],
        "ReadonlyRootfs": record["read_only"],
        "SecurityOpt": options,
        "UTSMode": record["uts"],
        "UsernsMode": record["userns"],
        "ShmSize": record["shm_size"],
        "Sysctls": record["sysctls"],
        "Init": record["init"],
        "Ulimits": [{"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in record["ulimits"]],
        "Devices": [
            {"PathOnHost": d["source"], "PathInContainer": d["target"], "CgroupPermissions": d["permissions"]}
            for d in record["devices"]
        ],
    }


def _bind_word(mount: Mount) -> str:
    source = mount["source"] if mount["type"] == "bind" else mount["volume"]
    return f"{source}:{mount['target']}" + (":ro" if mount["read_only"] else "")


def _bindings(mappings: list[ports.PortMapping]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for m in mappings:
        port = f"{m.container_port}/{m.protocol}"
        found.setdefault(port, []).append(
            {"HostIp": m.host_ip or "0.0.0.0", "HostPort": str(m.host_port) if m.host_port else ""}
        )
    return found


def _network_settings(record: Record, state: dict[str, Any], running_now: bool) -> dict[str, Any]:
    network = state.get("network") or {}
    published: dict[str, Any] = dict.fromkeys(record["network"]["exposed"])
    published |= _bindings(ports.from_data(network.get("ports") or []))
    mode = record["network"]["mode"]
    details = {
        "NetworkID": mode,
        "IPAddress": network.get("address", ""),
        "Gateway": network.get("gateway", ""),
        "GlobalIPv6Address": network.get("address6", ""),
        "HelperPid": network.get("pid", 0),
        # True: it runs without a network, until it is restarted.
        "Lost": running_now and slirp.lost(network),
    }
    name = mode if not mode.startswith("container:") else "container"
    return {
        "SandboxKey": f"/proc/{state['pid']}/ns/net" if state.get("pid") else "",
        "Ports": published,
        "IPAddress": network.get("address", ""),
        "Gateway": network.get("gateway", ""),
        "Networks": {name: details},
    }


def _mount(store: Store, mount: Mount) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": mount["type"]}
    if mount["type"] == "volume":
        found |= {
            "Name": mount["volume"],
            "Source": f"{store.volumes}/{mount['volume']}/_data",
            "Driver": "local",
        }
    elif mount["type"] == "bind":
        found["Source"] = mount["source"]
    return found | {
        "Destination": mount["target"],
        "Mode": ",".join(mount["options"]),
        "RW": not mount["read_only"],
        "Propagation": next(
            (o for o in mount["options"] if o in ("rshared", "rslave", "shared", "slave")), "rprivate"
        ),
    }


Finder = Callable[[Store, str], dict[str, Any]]


def inspect_any(store: Store, reference: str, *, kind: str = "", size: bool = False) -> dict[str, Any]:
    """What `inspect NAME` shows: a container, else an image, else a volume; `kind` names one of them."""
    finders: dict[str, Finder] = {
        "container": lambda s, r: inspect_container(s, r, size=size),
        "image": _image,
        "volume": _volume,
    }
    for name, finder in finders.items():
        if kind in ("", name):
            try:
                return finder(store, reference)
            except NotFound:
                if kind:
                    raise
    raise NotFound(f"No such object: {reference}")


def _image(store: Store, reference: str) -> dict[str, Any]:
    from rootless.engine.images import named

    return named.inspect(store, reference)


def _volume(store: Store, reference: str) -> dict[str, Any]:
    from rootless.engine.files import volumes

    return volumes.inspect(store, reference)
