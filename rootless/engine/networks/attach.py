"""A container put on its networks at its start. Runs in the supervisor, in the session and the caller's network namespace.

    an address on each network     leases.py; they are the container's PID 1's
    sockets of published ports     an error of theirs is the start's; the monitor keeps them
    the hub, and its way out       network/hub: links, routes, the resolver's sockets
    netd                           names, ports, what it undoes when PID 1 has ended; the gate for what goes out
    /etc/hosts                     the addresses are known only now

Where a line fails the init is ended, and with it go its addresses and links: nothing has to be undone here.
"""

from __future__ import annotations

import os

from rootless.engine.networks import endpoints, hosts, leases, options, records, registration
from rootless.engine.networks.endpoints import Place
from rootless.engine.networks.leases import LeaseHolder
from rootless.engine.state.config import no_demands, on_hub
from rootless.engine.state.restart import own_command
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.linux.process import start_time
from rootless.linux.rlimit import many_descriptors
from rootless.network.hub import attach as kernel
from rootless.network.hub import namespace, netd, settings
from rootless.network.hub.endpoint import OtherRoot
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rootless.engine.networks.addresses import Subnet
    from rootless.engine.networks.records import NetworkConfig
    from rootless.engine.state.config import ContainerConfig, EndpointConfig
    from rootless.network.hub.endpoint import Attached
    from rootless.network.hub.listen import Listener
    from rootless.network.port_errors import PortHolder
    from rootless.storage.store import Store

HUB = "hub"
"""What repair-network is told in place of a container's id: the hub's way out."""


class Attachment(Record):
    """The links of a container that is being started; `hub` is a descriptor of the hub."""

    hub: int
    places: list[Place]
    attached: Attached


def connect(
    store: Store,
    record: ContainerConfig,
    pid: int,
    namespaces: tuple[int, int],
    port_holder: PortHolder,
    *,
    hosts_path: str,
    instead: Callable[[RootlessError], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Put the container whose init is `pid` on its networks; `namespaces` are its user and network namespace's. `instead`:
    what is done, and returned, where this host makes no bridge; else that is an error.

    Returns what state.json records, and "hold_fds": the hub and the sockets of its ports, for the monitor, which has them by
    the same numbers.
    """
    with many_descriptors():  # two for each published port, until netd has them
        name = containers.name_of(store, record["id"]) or record["name"]
        try:
            made = _attach(store, record, LeaseHolder(record["id"], pid, start_time(pid)), namespaces[1])
        except NotSupported as error:
            if instead is None:
                raise
            return instead(error)
        found = _connect(store, record, name, pid, made, port_holder)
        hosts.update(hosts_path, record, {}, {name: hosts.addresses(made.places)})
        return found


def _attach(store: Store, record: ContainerConfig, holder: LeaseHolder, network: int) -> Attachment:
    """The container's links. NotSupported: this host makes no bridges, or has no addresses for the default one."""
    hub = namespace.open_hub()
    avoided: list[Subnet] = []
    more = []
    if record.get("infra"):
        from rootless.engine.networks import pod_aliases

        more = pod_aliases.names(store, record)
    while True:
        places: list[Place] = []
        # As with Docker, a container that was taken off all networks is on its first one again when it starts.
        for name, asked in (on_hub(record) or {record["network"]["mode"]: no_demands()}).items():
            found = records.read(store, name)
            if not found["pools"]:
                found = default_bridge(store, avoided)
            if more:
                asked = pod_aliases.with_names(asked, more)
            places.append(take_place(store, found, asked, holder, [place.interface for place in places]))
        try:
            return Attachment(hub, places, kernel.attach(hub, network, endpoints.links(places), first=True))
        except OtherRoot:
            # The default network's addresses are ours to choose, and nobody is on it, or it would have its bridge.
            bridge = next((place.network for place in places if place.network["name"] == "bridge"), None)
            for place in places:
                release(store, place, record["id"])
            if bridge is None:
                raise
            avoided += records.subnets(bridge)
            default_bridge(store, avoided)


def default_bridge(store: Store, avoided: Sequence[Subnet]) -> NetworkConfig:
    """The default network with its addresses, which it gets when it is first needed, and others than `avoided`."""
    from rootless.engine.networks import create

    try:
        return create.ensure_bridge(store, avoided)
    except InvalidInput as error:
        raise NotSupported(f"the default network has no addresses: {error.message}", hint=error.hint) from None


def _connect(
    store: Store, record: ContainerConfig, name: str, pid: int, made: Attachment, port_holder: PortHolder
) -> dict[str, Any]:
    hub, places, attached = made.hub, made.places, made.attached
    server = netd_of(store.runtime, hub)
    try:
        listeners, warnings = _publish(record, name, places, port_holder)
        if not attached.uplink:
            warnings += ensure_uplink(server, places)
        told = registration.register(record, name, places, listeners, attached.undo)
        pidfd = os.pidfd_open(pid)
        try:
            settings.set_container(
                server,
                told.settings._replace(
                    pidfd=pidfd, resolver_udp=attached.resolver_udp, resolver_tcp=attached.resolver_tcp
                ),
            )
        finally:
            os.close(pidfd)
        # After netd knows how to undo them: a kill in between leaves none.
        if told.rules:
            from rootless.network.hub import rules

            rules.send_rules(hub, [rule.add for rule in told.rules])
        gate = ensure_gate(server, places, led_to=attached.gate)
    finally:
        for fd in (attached.resolver_udp, attached.resolver_tcp):
            if fd >= 0:
                os.close(fd)
    return {
        "networks": states(record, name, places),
        "ports": [list(listener.mapping) for listener in listeners],
        "port_fds": [listener.fd for listener in listeners],
        "gate": gate,
        "undo": [message.hex() for message in attached.undo],
        "warnings": warnings,
        "hold_fds": [hub, *(listener.fd for listener in listeners)],
    }


def take_place(
    store: Store, network: NetworkConfig, asked: EndpointConfig, holder: LeaseHolder, taken: Sequence[str]
) -> Place:
    """A place on the network, its addresses leased; `taken` are the names of the container's other links."""
    wanted = [address for address in (asked["ip"], asked["ip6"]) if address]
    given = leases.take(store, network, holder, wanted)
    address = next((each for each in given if ":" not in each), "")
    address6 = next((each for each in given if ":" in each), "")
    interface = endpoints.interface(network, asked, taken)
    mac = asked["mac"] or endpoints.mac_of(address, address6)
    return Place(network, asked, interface, mac, os.urandom(32).hex(), address, address6)


def release(store: Store, place: Place, container: str) -> None:
    """Give a place's addresses up before its container ends."""
    for address in (place.address, place.address6):
        if address:
            leases.release(store, place.network, address, container)


def states(record: ContainerConfig, name: str, places: Sequence[Place]) -> dict[str, Any]:
    """What state.json says of the places, by the names of their networks."""
    return {
        place.network["name"]: endpoints.to_state(place, registration.names_on(record, name, place)) for place in places
    }


def netd_of(runtime: str, hub: int) -> netd.Netd:
    """The netd of that RUNTIME, for its hub."""
    return netd.Netd(runtime, hub, repair_hub=own_command("repair-network", HUB))


def ensure_uplink(server: netd.Netd, places: Sequence[Place]) -> list[str]:
    """See to the hub's way out where a place has one; what its program runs without, for people."""
    return [] if all(place.network["internal"] for place in places) else start_uplink(server)


def start_uplink(server: netd.Netd) -> list[str]:
    """Start the hub's way out unless it runs, and give it into netd's care; warnings, as ensure_uplink."""
    from rootless.network.hub import uplink

    made = uplink.ensure_uplink(server.hub)
    if made is None:
        return []
    try:
        netd.ask(server, "uplink 0 1", [made.pidfd, made.exit_fd])
    finally:
        os.close(made.pidfd)
        os.close(made.exit_fd)
    return list(made.warnings)


def ensure_gate(server: netd.Netd, places: Sequence[Place], *, led_to: bool = False) -> bool:
    """Have the outgoing TCP connections of the networks made by netd; False where this host's kernel lacks a part, or
    there are none: then they go by the uplink. Once netd knows the container. `led_to`: the hub sends them there already."""
    bridges = [endpoints.bridge(place.network) for place in places if not place.network["internal"]]
    if not bridges:
        return False
    try:
        netd.ask(server, "gate on")  # of this netd: its device is there from the one before
        if led_to:
            return True
        from rootless.network.hub import gate

        return gate.ensure_gate(server.hub, bridges)
    except RootlessError:
        return False


def _publish(
    record: ContainerConfig, name: str, places: Sequence[Place], port_holder: PortHolder
) -> tuple[list[Listener], list[str]]:
    """The sockets of the published ports, and what is said where there are none in spite of -p."""
    network = record["network"]
    if not network["ports"] and not network["publish_all"]:
        return [], []
    from rootless.network import ports
    from rootless.network.hub import listen

    wanted = ports.from_data(network["ports"])
    if network["publish_all"]:
        wanted += ports.publish_all(ports.read_exposed(network["exposed"]), wanted)
    if not wanted:
        return [], []
    default4, default6 = endpoints.gateways(places)
    way_out = default4 or default6
    if way_out is None:
        return [], ["Published ports are discarded: every network of the container is internal"]
    any_address = way_out.network["options"].get(options.HOST_BINDING, "")
    return listen.listen(wanted, name=name, port_holder=port_holder, any_address=any_address), []
