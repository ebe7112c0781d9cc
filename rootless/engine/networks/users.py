"""Which containers are on a network now: read from what they were started with, and asked of the kernel. No daemon."""

from __future__ import annotations

from rootless.engine.state import running
from rootless.errors import RootlessError
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from typing import Any

    from rootless.engine.networks.records import NetworkConfig
    from rootless.storage.store import Store


class NetworkUser(Record):
    """A running container on a network; `endpoint` is what its state.json says of it there, `network` of all that it has."""

    container: str
    name: str
    endpoint: dict[str, Any]
    network: dict[str, Any]


def of(store: Store, network: NetworkConfig) -> list[NetworkUser]:
    """The running containers on the network, by name."""
    return sorted(every(store).get(network["id"], []), key=lambda user: user.name)


def every(store: Store) -> dict[str, list[NetworkUser]]:
    """By the ids of the networks: the running containers on each."""
    found: dict[str, list[NetworkUser]] = {}
    names = containers.names(store)
    for identifier in containers.ids(store):
        network = _network(store, identifier)
        for endpoint in _endpoints(network).values():
            user = NetworkUser(identifier, names.get(identifier, identifier[:12]), endpoint, network)
            found.setdefault(str(endpoint.get("network_id")), []).append(user)
    return found


def endpoints(store: Store, identifier: str) -> dict[str, dict[str, Any]]:
    """By the names of its networks: what state.json says of each, {} where the container does not run."""
    return _endpoints(_network(store, identifier))


def _network(store: Store, identifier: str) -> dict[str, Any]:
    """What state.json says of its network, {} where the container does not run."""
    try:
        found = running.find(store, identifier)
    except RootlessError:
        return {}
    if found is None:
        return {}
    with found:
        network = found.state.get("network")
    return network if isinstance(network, dict) else {}


def _endpoints(network: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of that, by the names of its networks: each endpoint."""
    networks = network.get("networks")
    if not isinstance(networks, dict):
        return {}
    return {str(name): endpoint for name, endpoint in networks.items() if isinstance(endpoint, dict)}


def wanted(store: Store) -> set[str]:
    """The names of all networks that a container, running or not, is to be on."""
    found: set[str] = set()
    for identifier in containers.ids(store):
        try:
            record = containers.config(store, identifier, {"network": {"mode": str}})
        except RootlessError:
            continue  # removed while we looked, or damaged: `ps -a` shows that one
        networks = record["network"].get("networks")
        found.update(networks if isinstance(networks, dict) else ())
    return found
