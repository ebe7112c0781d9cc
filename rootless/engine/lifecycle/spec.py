"""From a container's record to the OCI configuration that the runtime executes. Pure.

The OCI's words (config.md, config-linux.md), Docker's defaults. What needs the container's own
file system, the numbers behind `--user www-data`, travels as a name and is looked up by the
runtime inside the root (runtime/process/passwd.py). Hot path.
"""

from __future__ import annotations

from rootless import __version__
from rootless.engine.files.mounts import mount_points
from rootless.engine.files.mounts.mount_points import oci_mount
from rootless.engine.lifecycle import process_spec
from rootless.engine.options.userns import IdMap
from rootless.engine.state import resources
from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotSupported
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.runtime.mounts.notes import NOTES

if TYPE_CHECKING:
    from typing import Any

OCI_VERSION = "1.2.0"


class StartFacts(Record):
    """What a start adds to the record.

    `etc` holds the hosts, hostname and resolv.conf of the container (of the other one, where its network
    is shared). `shared` maps "pid", "ipc", "network", "uts" to the pid of the container whose namespace
    is joined. `devices` are the host's nodes that --privileged brings.
    """

    etc: str
    volumes: str
    shared: dict[str, int]
    all_capabilities: tuple[str, ...]
    devices: tuple[str, ...] = ()
    host_mqueue: bool = True
    last_gid: int = 0  # the highest that has a mapping in the session


def build(record: ContainerConfig, facts: StartFacts) -> dict[str, Any]:
    """The OCI configuration of one start; InvalidInput or NotSupported for what cannot be."""
    security = record["security"]
    privileged = security["privileged"]
    linux: dict[str, Any] = {
        "namespaces": _namespaces(record, facts),
        "maskedPaths": [] if privileged else _paths(MASKED_PATHS, security["unmask"], security["mask"]),
        "readonlyPaths": [] if privileged else _paths(READONLY_PATHS, security["unmask"], []),
    }
    if record.get("resources"):
        linux["resources"] = resources.to_oci(record["resources"])
    profile = process_spec.seccomp(record)
    if profile:
        linux["seccomp"] = profile
    _apply_userns(linux, record.get("id_map"))
    linux["sysctl"] = {**_network_sysctls(linux, facts), **record["sysctls"]}
    annotations = dict(record["annotations"])
    if record["init"]:
        annotations["io.rootless.init"] = "true"
    found = {
        "ociVersion": OCI_VERSION,
        "process": process_spec.process(record, facts.all_capabilities),
        "root": {"path": "rootfs", "readonly": record["read_only"]},
        "mounts": _mounts(record, facts),
        "linux": linux,
        "annotations": annotations,
        NOTES: [] if record["rootfs"] else _notes(record),
    }
    if record.get("hooks"):
        found["hooks"] = {"createContainer": record["hooks"]}
    if record["uts"] != "host":
        found["hostname"] = record["hostname"]
        if record["domainname"]:
            found["domainname"] = record["domainname"]
    return found


def _notes(record: ContainerConfig) -> list[tuple[str, str, bool]]:
    """How programs know that they are in a container: Docker's empty file, and Podman's with its words."""
    memory = any(mount["type"] == "tmpfs" and mount["target"] == "/run" for mount in record["mounts"])
    text = (
        f'engine="rootless-{__version__}"\nname="{record["name"]}"\nid="{record["id"]}"\n'
        f'image="{record["image"]}"\nimageid="{record["image_id"].removeprefix("sha256:")}"\nrootless=1\n'
    )
    return [("/.dockerenv", "", False), ("/run/.containerenv", text, memory)]


def _namespaces(record: ContainerConfig, facts: StartFacts) -> list[dict[str, str]]:
    found = [{"type": "mount"}]
    for kind, mode in (
        ("pid", record["pid"]),
        ("ipc", record["ipc"]),
        ("uts", record["uts"]),
        ("network", record["network"]["mode"]),
        ("cgroup", record["cgroupns"]),
    ):
        if mode == "host":
            continue
        shared = facts.shared.get(kind)
        if shared:
            file = {"network": "net"}.get(kind, kind)
            found.append({"type": kind, "path": f"/proc/{shared}/ns/{file}"})
        else:
            found.append({"type": kind})
    if record["userns"] != "host":
        found.append({"type": "user"})
    return found


def _network_sysctls(linux: dict[str, Any], facts: StartFacts) -> dict[str, str]:
    """Docker's two, where the network namespace is the container's own: anybody in it may ping, and
    listen on ports below 1024, without a capability. Both end at its own network."""
    if not any(entry == {"type": "network"} for entry in linux["namespaces"]):
        return {}
    extents = [(entry["containerID"], entry["size"]) for entry in linux.get("gidMappings") or ()] or [(0, facts.last_gid + 1)]
    first, last = min(inside for inside, _ in extents), max(inside + size - 1 for inside, size in extents)
    return {"net.ipv4.ping_group_range": f"{first} {last}", "net.ipv4.ip_unprivileged_port_start": "0"}


def _apply_userns(linux: dict[str, Any], id_map: IdMap | None) -> None:
    """Without a map the runtime maps the session's ids one to one."""
    for kind, extents in (("uid", id_map["uid"]), ("gid", id_map["gid"])) if id_map else ():
        linux[kind + "Mappings"] = [
            {"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in extents
        ]


def _paths(defaults: tuple[str, ...], unmask: list[str], more: list[str]) -> list[str]:
    if "ALL" in (word.upper() for word in unmask):
        return list(more)
    return [
        path for path in defaults if not any(path == u or path.startswith(u + "/") for u in unmask)
    ] + more


def _mounts(record: ContainerConfig, facts: StartFacts) -> list[dict[str, Any]]:
    """Docker's default mounts, the files of /etc that are ours, then the user's; these win."""
    user = mount_points.of_user(record, facts.volumes)
    user += [
        # As runc: the container has a ptmx of its own, and the host's would give it the host's terminals.
        _device(device["source"], device["target"], device["permissions"])
        for device in record["devices"]
        if device["target"] != "/dev/ptmx"
    ]
    taken = {mount["destination"] for mount in user}
    user = [oci_mount(path, "bind", path, "rbind") for path in facts.devices if path not in taken] + user
    sys_mode = "rw" if record["security"]["privileged"] else "ro"
    default = [
        oci_mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        oci_mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        oci_mount("/dev/pts", "devpts", "devpts",
               "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        oci_mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", sys_mode),
        oci_mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
    ]  # fmt: skip
    if record["ipc"] != "host" or facts.host_mqueue:
        default.append(oci_mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"))
    if record["ipc"] == "host" or facts.shared.get("ipc"):
        # The host's, or the other container's, which the start has cloned.
        default.append(oci_mount("/dev/shm", "bind", "/dev/shm", "rbind", "nosuid", "noexec", "nodev"))
    elif record["ipc"] != "none":
        size = f"size={record['shm_size']}"
        default.append(oci_mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", size))
    default += mount_points.of_etc(facts.etc)
    return [mount for mount in default if mount["destination"] not in taken] + user


def _device(source: str, target: str, permissions: str) -> dict[str, Any]:
    if not {"r", "w"} <= set(permissions):
        raise NotSupported(
            f"--device {source}: permissions '{permissions}' cannot be enforced without root",
            hint="a rootless container gets what your own permissions on the device allow; write rw or rwm",
        )
    return oci_mount(target, "bind", source, "rbind")
