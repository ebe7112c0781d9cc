"""`network inspect`: a network in the shape of Docker's Network (API v1.51)."""

from __future__ import annotations

from typing import Any

from rootless.engine.networks import records, users
from rootless.engine.networks.ipam import Pool
from rootless.engine.networks.users import NetworkUser
from rootless.engine.views.network_settings import outgoing
from rootless.engine.views.types import gotypes, network
from rootless.storage.store import Store


def inspect(store: Store, reference: str) -> gotypes.Object:
    """The network of this name or id; NotFound in Docker's words."""
    found = records.find(store, reference)
    there = users.of(store, found)
    return gotypes.build(network.TYPES, "network.Inspect", {
        "Name": found["name"],
        "Id": found["id"],
        "Created": found["created_at"],
        "Scope": "local",
        "Driver": found["driver"],
        "EnableIPv4": found["ipv4"],
        "EnableIPv6": found["ipv6"],
        "IPAM": {
            "Driver": "default",
            "Options": found["ipam_options"] or None,
            "Config": [_pool(pool) for pool in found["pools"]],
        },
        "Internal": found["internal"],
        "Attachable": found["attachable"],
        "Containers": {user.container: _user(user) for user in there},
        "Options": found["options"],
        "Labels": found["labels"],
        # By what the containers' TCP leaves it; "" while nobody is on it, and where it is internal.
        "Outgoing": next((outgoing(user.endpoint, user.network) for user in there), ""),
    })  # fmt: skip


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "Subnet": pool["subnet"],
        "IPRange": pool["ip_range"],
        "Gateway": pool["gateway"],
        "AuxiliaryAddresses": pool["auxiliary"],
    }


def _user(user: NetworkUser) -> dict[str, str]:
    endpoint = user.endpoint

    def block(address: str, length: str) -> str:
        return f"{endpoint[address]}/{endpoint.get(length, 0)}" if endpoint.get(address) else ""

    return {
        "Name": user.name,
        "EndpointID": str(endpoint.get("endpoint_id", "")),
        "MacAddress": str(endpoint.get("mac", "")),
        "IPv4Address": block("address", "prefix_length"),
        "IPv6Address": block("address6", "prefix_length6"),
    }
