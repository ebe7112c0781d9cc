"""What netd is told of a container: its names and addresses on its networks, its published ports, what is to be undone."""

from __future__ import annotations

from rootless.engine.networks import endpoints
from rootless.network.hub.settings import OnNetwork, Port, Settings
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rootless.engine.networks.endpoints import Place
    from rootless.engine.state.config import ContainerConfig
    from rootless.network.hub.endpoint import PortRule
    from rootless.network.hub.listen import Listener


class Registration(Record):
    """The request for netd, and the routing rules that its ports need in the hub."""

    settings: Settings
    rules: list[PortRule]


def register(
    record: ContainerConfig, name: str, places: Sequence[Place], listeners: Sequence[Listener], undo: Iterable[bytes]
) -> Registration:
    """Of a container on `places` with these sockets of the host. Descriptors of the container itself are left out."""
    ordered = endpoints.in_order(places)
    ports = _ports(places, listeners)
    rules = _rules(places, ports)
    network = record["network"]
    settings = Settings(
        record["id"],
        networks=tuple(
            OnNetwork(
                place.network["name"],
                place.address,
                place.address6,
                tuple(names_on(record, name, place)),
                tuple((alias, target) for target, _, alias in (link.partition(":") for link in place.asked["links"])),
            )
            for place in ordered
        ),
        servers=tuple(network["dns"][:3]),
        ndots=any(word.partition(":")[0] == "ndots" for word in network["dns_options"]),
        internal=all(place.network["internal"] for place in places),
        ports=tuple(ports),
        undo=(*undo, *(rule.remove for rule in rules)),
    )
    return Registration(settings, rules)


def names_on(record: ContainerConfig, name: str, place: Place) -> list[str]:
    """What the container is found by there: nothing on the default network, as with Docker."""
    if place.network["name"] == "bridge":
        return []
    return endpoints.dns_names(record, name, place.asked["aliases"])


def _ports(places: Sequence[Place], listeners: Sequence[Listener]) -> list[Port]:
    """Each socket with the container's address behind it: of the same family where the container has one."""
    default4, default6 = endpoints.gateways(places)
    found = []
    for listener in listeners:
        mapping = listener.mapping
        to6 = default6 is not None and (":" in mapping.host_ip or default4 is None)
        place = default6 if to6 else default4
        if place is None:
            continue  # on internal networks alone nothing is published
        address, gateway = (place.address6, place.gateway6) if to6 else (place.address, place.gateway)
        found.append(Port(listener.fd, mapping.protocol, address, mapping.container_port, gateway))
    return found


def _rules(places: Sequence[Place], ports: Sequence[Port]) -> list[PortRule]:
    """One for each run of ports: a thousand of them are one rule."""
    if not ports:
        return []
    from rootless.network.hub.rules import port_rules

    of_address = {address: link for link in endpoints.links(places) for address in (link.address4, link.address6) if address}
    found = []
    for address, protocol in sorted({(port.address, port.protocol) for port in ports}):
        link = of_address[address]
        alone = link._replace(address4="" if ":" in address else address, address6=address if ":" in address else "")
        numbers = sorted({port.port for port in ports if (port.address, port.protocol) == (address, protocol)})
        for first, last in _runs(numbers):
            found += port_rules(alone, protocol, first, last)
    return found


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers that follow one another; `numbers` are sorted."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found
