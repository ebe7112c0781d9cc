"""What a container asks of its networks, and whether they can give it: names and addresses checked, ids filled in."""

from __future__ import annotations

from rootless.engine.networks import ipam, names, records
from rootless.errors import InvalidInput, NotFound
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.engine.networks.records import NetworkConfig
    from rootless.engine.state.config import EndpointConfig, Network
    from rootless.storage.store import Store

# As netd has them (helpers/netd/netd.h), where a container has three names besides its aliases.
NETWORKS_MAX, ALIASES_MAX = 64, 125


def resolve(store: Store, asked: Network) -> Network:
    """The networks of a new container by their names, with their ids. NotFound, InvalidInput in Docker's words."""
    found: dict[str, EndpointConfig] = {}
    interfaces: set[str] = set()
    if len(asked["networks"]) > NETWORKS_MAX:
        raise InvalidInput(f"a container is on {NETWORKS_MAX} networks at most", hint="leave some out")
    for reference, endpoint in asked["networks"].items():
        network, endpoint = check(store, reference, endpoint)
        if network["name"] in found:
            raise InvalidInput(
                f'network "{network["name"]}" is specified multiple times', hint="write each --network once"
            )
        name = endpoint["driver_opts"].get("com.docker.network.endpoint.ifname")
        if name in interfaces:
            raise InvalidInput(f"interface name {name} is asked for twice", hint="one name for each network")
        if name:
            interfaces.add(name)
        found[network["name"]] = endpoint
    return {**asked, "mode": next(iter(found), asked["mode"]), "networks": found}


def check(store: Store, reference: str, endpoint: EndpointConfig) -> tuple[NetworkConfig, EndpointConfig]:
    """The network that `reference` means, and the endpoint with its id; InvalidInput where it cannot be had there."""
    network = _find(store, reference)
    name = network["name"]
    if network["driver"] != "bridge":
        raise InvalidInput(
            f"container cannot be connected to {name} network: it is no bridge", hint=f"--network {name} alone is a choice"
        )
    if len(endpoint["aliases"]) > ALIASES_MAX:
        raise InvalidInput(f"a container has {ALIASES_MAX} aliases on a network at most", hint="leave some out")
    for address in (endpoint["ip"], endpoint["ip6"]):
        if address:
            ipam.check_static(network["pools"], address)
    return network, {**endpoint, "id": network["id"]}


def _find(store: Store, reference: str) -> NetworkConfig:
    if reference == "bridge":
        from rootless.engine.networks import create

        return create.ensure_bridge(store)
    try:
        return records.find(store, reference)
    except NotFound as error:
        raise NotFound(
            error.message,
            hint=f"make it: `rootless network create {reference}`; there are "
            + ", ".join(network["name"] for network in records.every(store))
            + ", container:NAME, slirp4netns:OPTIONS and pasta:OPTIONS",
        ) from None


def is_user_defined(network: NetworkConfig) -> bool:
    """Whether the network is one of one's own: names and static addresses are for those."""
    return network["name"] not in names.PREDEFINED
