"""A container's record as an entry of a pod's containers: Kubernetes' words for what it has, notes for what it has none for."""

from __future__ import annotations

import re
from typing import Any

from rootless.engine.lifecycle.create import DEFAULT_PATH
from rootless.engine.options.health import DEFAULT_RETRIES, SECOND_NS
from rootless.engine.options.mount_config import Mount, is_anonymous
from rootless.engine.state.config import ContainerConfig, Network
from rootless.image.run_config import RunConfig
from rootless.network import ports
from rootless.record import Record
from rootless.words import COMPOSE_LABEL

_TERM = "TERM=xterm"
_OWN_ENV = ("HOSTNAME=", "container=")
_PROXIES = {f"{kind}_proxy" for kind in ("http", "https", "no", "ftp", "all")}
_NO_WORDS = ("cgroup_parent", "devices", "group_add", "init", "oom_score_adj", "timeout", "ulimits", "umask", "platform", "domainname")
"""What Kubernetes has no field for, by its name in a record."""


class Exported(Record):
    """The entry, the volumes that it mounts, the names of claims among these, and what could not be said."""

    entry: dict[str, Any]
    volumes: list[dict[str, Any]]
    claims: list[str]
    notes: list[str]


def export(record: ContainerConfig, config: RunConfig, name: str, network: Network) -> Exported:
    """The container under that name; `network` is the one whose ports it has, its own or its pod's. An image's
    configuration is left to the image."""
    entry: dict[str, Any] = {"name": name, "image": record["image"] or record["image_id"]}
    entry |= _command(record, config)
    if record["workdir"] != (config.workdir.text or "/"):
        entry["workingDir"] = record["workdir"]
    environment, of_host = _environment(record, config)
    if environment:
        entry["env"] = environment
    published = _ports(network)
    if published:
        entry["ports"] = published
    for key, word in (("tty", "tty"), ("open_stdin", "stdin"), ("stdin_once", "stdinOnce")):
        if record.get(key):
            entry[word] = True
    entry["securityContext"] = _security(record, config)
    resources = _resources(record)
    if resources:
        entry["resources"] = resources
    probe = _probe(record)
    if probe:
        entry["livenessProbe"] = probe
    mounts, volumes, claims, notes = _mounts(record["mounts"], name)
    if mounts:
        entry["volumeMounts"] = mounts
    notes += [f"{key} is this host's, and may hold a password: it is not written" for key in of_host]
    notes += [f"{key.replace('_', '-')} has no counterpart" for key in _NO_WORDS if record.get(key)]
    if record["log"]["driver"] != "json-file":
        notes.append("log-driver has no counterpart")
    return Exported(entry, volumes, claims, [f"{record['name']}: {note}" for note in notes])


def literal(word: str) -> str:
    """A text in which Kubernetes is to replace nothing."""
    return re.sub(r"\$(?=[$(])", "$$", word)


def _command(record: ContainerConfig, config: RunConfig) -> dict[str, Any]:
    entrypoint, cmd = [word.text for word in config.entrypoint], [word.text for word in config.cmd]
    own = [literal(word) for word in record["cmd"]]
    if record["entrypoint"] != entrypoint:
        command = [literal(word) for word in record["entrypoint"]]
        return {"command": command, **({"args": own} if own else {})} if command else {"command": own}
    return {"args": own} if own and record["cmd"] != cmd else {}


def _environment(record: ContainerConfig, config: RunConfig) -> tuple[list[dict[str, str]], list[str]]:
    """The variables, and the names of those that are not written: the client's proxies."""
    known = {DEFAULT_PATH, *(word.text for word in config.env), *([_TERM] if record["tty"] else [])}
    own = dict(word.partition("=")[::2] for word in record["env"] if word not in known and not word.startswith(_OWN_ENV))
    of_host = [key for key in own if key.lower() in _PROXIES]
    return [{"name": key, "value": literal(value)} for key, value in own.items() if key not in of_host], of_host


def _ports(network: Network) -> list[dict[str, Any]]:
    found = []
    for mapping in ports.from_data(network["ports"]):
        one: dict[str, Any] = {"containerPort": mapping.container_port}
        if mapping.host_port:
            one["hostPort"] = mapping.host_port
        if mapping.host_ip:
            one["hostIP"] = mapping.host_ip
        if mapping.protocol != "tcp":
            one["protocol"] = mapping.protocol.upper()
        found.append(one)
    return found


def _security(record: ContainerConfig, config: RunConfig) -> dict[str, Any]:
    asked = record["security"]
    found: dict[str, Any] = {}
    if asked["privileged"]:
        found["privileged"] = True
    else:
        found["allowPrivilegeEscalation"] = not asked["no_new_privileges"]
    capabilities = {key: asked[word] for key, word in (("add", "cap_add"), ("drop", "cap_drop")) if asked[word]}  # type: ignore[literal-required]
    if capabilities:
        found["capabilities"] = capabilities
    if record["read_only"]:
        found["readOnlyRootFilesystem"] = True
    user, _, group = record["user"].partition(":")
    if record["user"] != config.user.text and user.isdigit():
        found["runAsUser"] = int(user)
        if group.isdigit():
            found["runAsGroup"] = int(group)
    if asked["seccomp"] == "unconfined":
        found["seccompProfile"] = {"type": "Unconfined"}
    elif asked["seccomp"].startswith("/"):
        found["seccompProfile"] = {"type": "Localhost", "localhostProfile": asked["seccomp"]}
    if "ALL" in asked["unmask"]:
        found["procMount"] = "Unmasked"
    return found


def _resources(record: ContainerConfig) -> dict[str, Any]:
    asked = record.get("resources") or {}
    limits: dict[str, Any] = {}
    requests: dict[str, Any] = {}
    if asked.get("memory"):
        limits["memory"] = asked["memory"]
    if asked.get("nano_cpus"):
        limits["cpu"] = f"{-(-asked['nano_cpus'] // 1_000_000)}m"
    if asked.get("memory_reservation"):
        requests["memory"] = asked["memory_reservation"]
    if asked.get("cpu_shares"):
        requests["cpu"] = f"{-(-asked['cpu_shares'] * 1000 // 1024)}m"
    return {key: value for key, value in (("limits", limits), ("requests", requests)) if value}


def _probe(record: ContainerConfig) -> dict[str, Any]:
    check = record.get("healthcheck")
    if not check:
        return {}
    found: dict[str, Any] = {
        "exec": {"command": check["argv"]},
        "periodSeconds": max(1, check["interval_ns"] // SECOND_NS),
        "timeoutSeconds": max(1, check["timeout_ns"] // SECOND_NS),
    }
    if check["start_period_ns"]:
        found["initialDelaySeconds"] = check["start_period_ns"] // SECOND_NS
    if check["retries"] != DEFAULT_RETRIES:
        found["failureThreshold"] = check["retries"]
    return found


def _mounts(asked: list[Mount], name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str], list[str]]:
    """volumeMounts, volumes, the claims' names, and notes."""
    mounts: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    claims, notes = [], []
    for mount in asked:
        if mount["type"] == "image":
            notes.append(f"the image mounted at {mount['target']} has no counterpart")
            continue
        if mount["type"] == "bind":
            kind = "DirectoryOrCreate" if mount.get("create_source") else ""
            source: dict[str, Any] = {"hostPath": {"path": mount["source"], **({"type": kind} if kind else {})}}
            volume = f"{name[:40]}-host-{len(volumes)}"
        elif mount["type"] == "tmpfs":
            sizes = [word.partition("=")[2] for word in mount["options"] if word.startswith("size=") and not word.endswith("%")]
            source = {"emptyDir": {"medium": "Memory", **({"sizeLimit": int(sizes[0])} if sizes else {})}}
            volume = f"{name[:40]}-tmpfs-{len(volumes)}"
        elif is_anonymous(mount):
            source, volume = {"emptyDir": {}}, f"v-{mount['volume'][:12]}"
            notes.append(f"what is in the anonymous volume at {mount['target']} is not written: it is empty there")
        else:
            volume = valid_name(mount["volume"])
            if volume != mount["volume"]:
                notes.append(f"volume {mount['volume']} is called {volume}")
            source = {"persistentVolumeClaim": {"claimName": volume}}
            claims.append(volume)
        one: dict[str, Any] = {"name": volume, "mountPath": str(mount["target"])}
        if mount["read_only"]:
            one["readOnly"] = True
        if mount.get("subpath"):
            one["subPath"] = mount["subpath"]
        mounts.append(one)
        volumes.append({"name": volume, **source})
    return mounts, volumes, claims, notes


_LABEL = re.compile(r"(?:[a-zA-Z0-9](?:[-._/a-zA-Z0-9]*[a-zA-Z0-9])?)?")


def own_labels(record: ContainerConfig, config: RunConfig) -> tuple[dict[str, str], dict[str, str]]:
    """What is not the image's, as labels, and as annotations what Kubernetes takes for no label."""
    of_image = {key: word.text for key, word in config.labels.items()}
    own = {key: value for key, value in record["labels"].items() if of_image.get(key) != value and not key.startswith(COMPOSE_LABEL)}
    fit = {key: value for key, value in own.items() if all(len(word) < 64 and _LABEL.fullmatch(word) for word in (key, value))}
    return fit, {**{key: value for key, value in own.items() if key not in fit}, **record["annotations"]}


def valid_name(word: str) -> str:
    """A name as Kubernetes takes it: small letters, digits, '-' and '.'."""
    found = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-.") else "-" for letter in word.lower())
    return found.strip("-.")[:63].rstrip("-.") or "x"
