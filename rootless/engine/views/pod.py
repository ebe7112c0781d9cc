"""`pod inspect`: a pod in the shape of Podman's InspectPodData."""

from __future__ import annotations

from typing import Any

from rootless.engine.state import pods
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.listing import networks as networks_of
from rootless.engine.state.pods import Pod
from rootless.engine.views.network_settings import bindings
from rootless.engine.views.types import gotypes, pod
from rootless.errors import RootlessError
from rootless.network import ports
from rootless.storage import pods as stored
from rootless.storage.store import Store


def networks(store: Store, found: Pod) -> list[str]:
    """The names of the networks of one's own that the pod is to be on, as Podman lists them."""
    record = _infra(store, found)
    if record is None or "networks" not in record["network"]:
        return []
    return sorted(networks_of(record))


def _infra(store: Store, found: Pod) -> ContainerConfig | None:
    if not found.infra:
        return None
    try:
        return read_config(store, found.infra)
    except RootlessError:
        return None  # damaged, or removed while we looked


def inspect(store: Store, reference: str) -> gotypes.Object:
    """All there is to know about one pod; NotFound where there is none, RootlessError for a damaged one."""
    identifier = stored.find(store, reference)
    config = pods.read(store, identifier)
    found = pods.one(store, identifier)
    record = _infra(store, found)
    return gotypes.build(pod.TYPES, "pod.Inspect", {
        "Id": identifier,
        "Name": found.name,
        "Created": config["created_at"],
        "CreateCommand": config["command"],
        "ExitPolicy": config["exit_policy"],
        "State": found.status,
        "Hostname": config["hostname"],
        "Labels": config["labels"],
        "CreateInfra": bool(config["infra"]),
        "InfraContainerID": found.infra,
        "InfraConfig": None if record is None else _infra_config(record),
        "SharedNamespaces": config["share"],
        "RestartPolicy": config["restart"]["name"],
        "NumContainers": len(found.members),
        "Containers": [{"Id": member.id, "Name": member.name, "State": member.state} for member in found.members],
        "mounts": [
            {
                "Type": mount["type"], "Source": mount["source"] or mount["volume"], "Destination": mount["target"],
                "RW": not mount["read_only"],
            }
            for mount in config["mounts"]
        ],
    })  # fmt: skip


def _infra_config(record: ContainerConfig) -> dict[str, Any]:
    network = record["network"]
    first = next(iter((network.get("networks") or {}).values()), None)
    return {
        "PortBindings": bindings(ports.from_data(network["ports"]), any_address=""),
        "HostNetwork": network["mode"] == "host",
        "StaticIP": first["ip"] if first else "",
        "StaticMAC": first["mac"] if first else "",
        "DNSServer": network["dns"] or None,
        "DNSSearch": network["dns_search"] or None,
        "DNSOption": network["dns_options"] or None,
        "HostAdd": network["add_host"] or None,
        "Networks": sorted(networks_of(record)) if "networks" in network else None,
        "NetworkOptions": {network["mode"]: network["options"]} if network["options"] else None,
        "pid_ns": record["pid"] or "private",
        "userns": record["userns"] or "private",
        "uts_ns": record["uts"] or "private",
    }
