"""A container's places on its networks: in which order, by which names, with which links. Pure.

The order is that of Docker's gateways (moby, daemon/libnetwork/endpoint.go): the first network that has a way out is
the default route's, and names are asked of the networks one after the other.
"""

from __future__ import annotations

from rootless.engine.networks import options
from rootless.engine.networks.addresses import to_number
from rootless.engine.networks.names import can_be_asked
from rootless.network.hub.endpoint import Bridge, Endpoint
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from rootless.engine.networks.records import NetworkConfig
    from rootless.engine.state.config import ContainerConfig, EndpointConfig

IFNAME = "com.docker.network.endpoint.ifname"


class Place(Record):
    """A container on a network: what was asked, and what it has there now."""

    network: NetworkConfig
    asked: EndpointConfig
    interface: str
    mac: str
    endpoint_id: str
    address: str = ""
    address6: str = ""

    @property
    def gateway(self) -> str:
        """The network's IPv4 gateway; "" where no traffic leaves by it."""
        return "" if self.network["internal"] else _of_version(self.network, 4, "gateway")

    @property
    def gateway6(self) -> str:
        """The same of IPv6."""
        return "" if self.network["internal"] else _of_version(self.network, 6, "gateway")


def _of_version(network: NetworkConfig, version: int, key: str) -> str:
    for pool in network["pools"]:
        if (":" in pool["subnet"]) == (version == 6):
            return str(pool[key])  # type: ignore[literal-required]
    return ""


def in_order(places: Iterable[Place]) -> list[Place]:
    """The places by the priority of their gateways: as asked, then those with a way out, then those with more
    families, then by name."""
    return sorted(places, key=_priority)


def _priority(place: Place) -> tuple[int, bool, int, str]:
    families = bool(place.gateway) + bool(place.gateway6)
    return -place.asked["gw_priority"], place.network["internal"], -families, place.network["name"]


def gateways(places: Iterable[Place]) -> tuple[Place | None, Place | None]:
    """The places that the default routes of IPv4 and of IPv6 go by."""
    ordered = in_order(places)
    return (
        next((place for place in ordered if place.gateway and place.address), None),
        next((place for place in ordered if place.gateway6 and place.address6), None),
    )


def dns_names(record: ContainerConfig, name: str, aliases: Sequence[str]) -> list[str]:
    """What the container is found by on a network of one's own: its name, aliases, short id and host name, less those that
    nobody could ask for."""
    found = [name, *aliases, record["id"][:12], record["hostname"]]
    return list(dict.fromkeys(word for word in found if word and can_be_asked(word)))


def bridge(network: NetworkConfig) -> Bridge:
    """The network as the kernel needs it."""
    mtu = network["options"].get(options.MTU, "0")
    return Bridge(
        network.get("link") or network["id"],
        _of_version(network, 4, "subnet"),
        _of_version(network, 4, "gateway"),
        _of_version(network, 6, "subnet"),
        _of_version(network, 6, "gateway"),
        int(mtu) if mtu.isdecimal() else 0,
        network["internal"],
        options.boolean(network["options"], options.ICC) is not False,
    )


def links(places: Sequence[Place]) -> list[Endpoint]:
    """The places as the kernel needs them, in their own order."""
    default4, default6 = gateways(places)
    return [
        Endpoint(
            bridge(place.network),
            place.interface,
            f"veth{place.endpoint_id[:11]}",
            place.mac,
            place.address,
            place.address6,
            default4=place is default4,
            default6=place is default6,
        )
        for place in places
    ]


def mac_of(address: str, address6: str) -> str:
    """A locally administered hardware address for a container with these addresses, "" where it has none of that family.

    The same for the same addresses, as Docker's were for long: a container that is started again mostly gets the address
    that it had, and its neighbours and the hub go on sending to the hardware address that they know of that. What it says
    of a new one as its link comes up is lost, for the bridge does not know yet that the link is up."""
    if address:
        return (0x0242 << 32 | to_number(address)).to_bytes(6, "big").hex(":")
    low = to_number(address6) & (1 << 64) - 1
    return (0x06 << 40 | (low ^ low >> 40) & (1 << 40) - 1).to_bytes(6, "big").hex(":")


def interface(network: NetworkConfig, asked: EndpointConfig, taken: Iterable[str]) -> str:
    """The link's name in the container: the one asked for, or the first of eth0, eth1 ... that is not taken."""
    if asked["driver_opts"].get(IFNAME):
        return asked["driver_opts"][IFNAME]
    prefix = network["options"].get(options.IFACE_PREFIX, "eth")
    taken, number = set(taken), 0
    while f"{prefix}{number}" in taken:
        number += 1
    return f"{prefix}{number}"


def to_state(place: Place, names: Sequence[str]) -> dict[str, Any]:
    """What state.json records of a place, Docker's EndpointSettings from it."""
    lengths = [
        int(subnet.rpartition("/")[2] or 0) for subnet in (_of_version(place.network, v, "subnet") for v in (4, 6))
    ]
    return {
        "network_id": place.network["id"],
        "endpoint_id": place.endpoint_id,
        "interface": place.interface,
        "mac": place.mac,
        "address": place.address,
        "prefix_length": lengths[0],
        "gateway": place.gateway,
        "address6": place.address6,
        "prefix_length6": lengths[1],
        "gateway6": place.gateway6,
        "names": list(names),
        # A disconnect finds it here: what was asked is gone from the configuration by then.
        "gw_priority": place.asked["gw_priority"],
    }


def from_state(network: NetworkConfig, asked: EndpointConfig, state: dict[str, Any]) -> Place:
    """The place that `to_state` described."""
    return Place(
        network,
        asked,
        *(str(state.get(key, "")) for key in ("interface", "mac", "endpoint_id", "address", "address6")),
    )
