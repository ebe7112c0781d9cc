"""HostConfig: what a container was asked to have of its host, in the shape of Docker's API v1.51."""

from __future__ import annotations

from typing import Any

from rootless.engine.options import ids
from rootless.engine.options.mount_config import Mount, is_anonymous
from rootless.engine.state import cgroup
from rootless.engine.state.config import ContainerConfig
from rootless.engine.views.network_settings import bindings
from rootless.network import ports
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.storage.containers.restart import RestartState

RUNTIME = "runc"
"""Docker's name of the runtime that nobody chose; ours has no other."""
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


def host_config(record: ContainerConfig, policy: RestartState, state: dict[str, Any]) -> dict[str, Any]:
    """HostConfig; `state` is the container's state.json."""
    network, security = record["network"], record["security"]
    privileged = security["privileged"]
    return {
        "Binds": [
            _bind_word(m)
            for m in record["mounts"]
            if m["type"] in ("bind", "volume") and not m.get("long") and not is_anonymous(m)
        ]
        or None,
        "Tmpfs": {
            m["target"]: ",".join(m["options"])
            for m in record["mounts"]
            if m["type"] == "tmpfs" and not m.get("long")
        },
        "LogConfig": {"Type": record["log"]["driver"], "Config": _log_options(record)},
        "ContainerIDFile": record.get("cidfile"),
        "VolumesFrom": record.get("volumes_from") or None,
        "NetworkMode": network["mode"],
        "PortBindings": bindings(ports.from_data(network["ports"]), any_address=""),
        "RestartPolicy": {"Name": policy.name, "MaximumRetryCount": policy.retries},
        "AutoRemove": record["auto_remove"],
        "Annotations": record["annotations"],
        "CapAdd": security["cap_add"] or None,
        "CapDrop": security["cap_drop"] or None,
        "CgroupnsMode": record["cgroupns"] or "private",
        "Dns": network["dns"],
        "DnsOptions": network["dns_options"],
        "DnsSearch": network["dns_search"],
        "ExtraHosts": network["add_host"] or None,
        "GroupAdd": record["group_add"] or None,
        "IpcMode": record["ipc"] or "private",
        "OomScoreAdj": record["oom_score_adj"] or 0,
        "PidMode": record["pid"],
        "Privileged": privileged,
        "PublishAllPorts": network["publish_all"],
        "ReadonlyRootfs": record["read_only"],
        "SecurityOpt": _security_options(record) or None,
        "UTSMode": record["uts"],
        "UsernsMode": record["userns"],
        "EmulateIds": record.get("ids") or ids.DEFAULT,
        "ShmSize": record["shm_size"],
        "Sysctls": record["sysctls"],
        "Runtime": RUNTIME,
        "Ulimits": [{"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in record["ulimits"]],
        "Devices": [
            {"PathOnHost": d["source"], "PathInContainer": d["target"], "CgroupPermissions": d["permissions"]}
            for d in record["devices"]
        ],
        "DeviceRequests": [{"Driver": "cdi", "Count": 0, "DeviceIDs": record["cdi"], "Capabilities": None, "Options": None}]
        if record.get("cdi") else None,
        "Mounts": [_long_mount(m) for m in record["mounts"] if m.get("long")],
        "MaskedPaths": None if privileged else _paths(MASKED_PATHS, record) + security["mask"],
        "ReadonlyPaths": None if privileged else _paths(READONLY_PATHS, record),
        "Init": record["init"],
    } | cgroup.host_config(record, state)


def _log_options(record: ContainerConfig) -> dict[str, str]:
    """Only what was asked for: no rotation, and one file, are nobody's words."""
    log = record["log"]
    if "options" in log:
        return log["options"]
    found = {"max-size": str(log["max_size"])} if log["max_size"] else {}
    return found | ({"max-file": str(log["max_files"])} if log["max_files"] > 1 else {})


def _security_options(record: ContainerConfig) -> list[str]:
    security = record["security"]
    options = ["no-new-privileges"] if security["no_new_privileges"] else []
    options += [f"landlock={word}" for word in (security.get("landlock"),) if word]
    options += [f"{key}={value}" for key, value in (("seccomp", security["seccomp"]),) if value]
    options += [f"{key}={value}" for key, value in (("apparmor", security["apparmor"]),) if value]
    return options + [f"label={label}" for label in security["label"]]


def _paths(defaults: tuple[str, ...], record: ContainerConfig) -> list[str]:
    unmask = record["security"]["unmask"]
    if "ALL" in (word.upper() for word in unmask):
        return []
    return [
        path for path in defaults if not any(path == word or path.startswith(word + "/") for word in unmask)
    ]


def _long_mount(mount: Mount) -> dict[str, Any]:
    """One word of --mount, as Docker's API has it."""
    kind, subpath = mount["type"], mount.get("subpath", "")
    source = (
        mount["source"] if kind in ("bind", "squashfs") else mount["volume"] if kind == "volume" else mount.get("image", "")
    )
    found: dict[str, Any] = {
        "Type": kind,
        "Source": source,
        "Target": mount["target"],
        "ReadOnly": mount["read_only"],
    }
    if kind == "volume" and (subpath or not mount["copy_up"]):
        found["VolumeOptions"] = {"NoCopy": not mount["copy_up"], "Subpath": subpath}
    elif kind == "image" and subpath:
        found["ImageOptions"] = {"Subpath": subpath}
    elif kind == "bind" and mount["options"] != ["rbind"]:
        propagation = next((word for word in mount["options"] if word in PROPAGATIONS), "")
        found["BindOptions"] = {"Propagation": propagation, "NonRecursive": "bind" in mount["options"]}
    elif kind == "tmpfs" and mount["options"]:
        given = dict(word.partition("=")[::2] for word in mount["options"])
        size, mode = given.get("size", "0"), given.get("mode", "0")
        found["TmpfsOptions"] = {"SizeBytes": int(size) if size.isdigit() else 0, "Mode": _octal(mode)}
    return found


def _octal(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        return 0


def _bind_word(mount: Mount) -> str:
    source = mount["source"] if mount["type"] == "bind" else mount["volume"]
    return f"{source}:{mount['target']}" + (":ro" if mount["read_only"] else "")
