"""A container with all rights over its own links (CAP_NET_ADMIN, CAP_NET_RAW) against its neighbours and other networks."""

from __future__ import annotations

import os
import socket
import time

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from rootless.errors import Conflict
from rootless.network.hub import attach
from rootless.network.hub.endpoint import Bridge
from tests.harness.forked import forked
from tests.hostile.packets import Wire, ip, tcp
from tests.network import frames
from tests.network.bridged_looks import links
from tests.network.bridged_world import APP, OTHER, Container, Network, World, endpoint, neighbour, ping
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import CONTAINERS, HOST

PORT = 9
TEXT = b"sesame"
APART = Bridge("d4" * 32, "172.21.0.0/16", "172.21.0.1", "fd44::/64", "fd44::1", icc=False)


class Watcher:
    """Looks in a container for frames with TEXT in them."""

    def __init__(self, container: Container) -> None:
        ready, tell = os.pipe()
        self._answer, told = os.pipe()

        def look() -> None:
            seen = frames.Seen()
            os.write(tell, b"1")
            os.write(told, b"+" if seen.with_text(TEXT, within_s=2) else b"-")

        container.spawn(look)
        os.read(ready, 1)

    def has_seen(self) -> bool:
        return os.read(self._answer, 1) == b"+"


def datagram(source: str, to: str) -> bytes:
    return (frames.datagram6 if ":" in to else frames.datagram4)(source, to, PORT, TEXT)


def seen_by(other: Container, sender: Container, packet: bytes, gateway: str) -> bool:
    watcher = Watcher(other)
    sender.do(lambda: frames.send(packet, neighbour(gateway)))
    return watcher.has_seen()


@pytest.mark.parametrize("bridge", [APP, APART])
def test_neighbours_without_icc_are_not_reached_by_way_of_the_gateway(bridge: Bridge) -> None:
    def work() -> list[bool]:
        world = World()
        one, two = world.container(endpoint(bridge, 2)), world.container(endpoint(bridge, 3))
        mine, theirs = endpoint(bridge, 2), endpoint(bridge, 3)
        return [
            seen_by(two, one, datagram(mine.address4, theirs.address4), bridge.gateway4),
            seen_by(two, one, datagram(mine.address6, theirs.address6), bridge.gateway6),
        ]

    assert forked(work, timeout_s=60) == [bridge.icc] * 2


@pytest.mark.parametrize("target", ["172.19.0.3", "9.8.7.6", "172.18.0.1", "198.51.100.2", "fd22::3", "2a00:1234::5", "fd11::1"])
def test_a_packet_in_the_name_of_another_network_is_told_to_nobody(target: str) -> None:
    """What is refused is answered, with a piece of what was sent: not to the container that is said to have sent it."""

    def work() -> bool:
        world = World()
        one, other = world.container(endpoint(APP, 2)), world.container(endpoint(OTHER, 2))
        gateway = APP.gateway6 if ":" in target else APP.gateway4
        forged = endpoint(OTHER, 2)
        return seen_by(other, one, datagram(forged.address6 if ":" in target else forged.address4, target), gateway)

    assert not forked(work, timeout_s=60)


@pytest.mark.parametrize("family", [0, 1])
def test_connections_in_the_name_of_another_network_are_none(family: int) -> None:
    """A container has so many connections and no more: nobody on another network may use them up."""

    def test(internet: Internet) -> None:
        internet.set_up()
        listening = internet.listen("host", HOST[family], PORT * 1000)
        wire = Wire(internet, "one")
        forged, target = CONTAINERS["other"][family], HOST[family]
        for port in range(4000, 4100):
            wire.send(ip(forged, target, tcp(forged, target, port, PORT * 1000)))
        wire.send(ip(CONTAINERS["one"][family], target, tcp(CONTAINERS["one"][family], target, 4000, PORT * 1000)))
        listening.settimeout(20)
        listening.accept()  # after all that was sent before
        listening.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listening.accept()
        assert internet.flows()["other"] == 0
        client, served = internet.through_gate(family, who="other")
        client.sendall(b"x")
        assert received(served, 1) == b"x"

    in_internet(test)


def test_a_gateways_address_that_a_neighbour_claims_is_still_the_gateways() -> None:
    """By ARP nobody proves anything, as on any Ethernet: but what comes is that network's alone, and what the hub itself
    has learnt of its containers and its own address does not change."""

    def work() -> bool:
        world = World()
        one, two = world.container(endpoint(APP, 2)), world.container(endpoint(APP, 3))
        other = world.container(endpoint(OTHER, 2))
        watcher = Watcher(other)

        def lie() -> None:
            for _ in range(3):
                frames.send_frame(frames.arp_reply("172.19.0.1", frames.mac()))
                frames.send_frame(frames.arp_reply("172.19.0.2", frames.mac()))
                frames.send(datagram("172.18.0.2", "172.19.0.2"), frames.ANY)
                time.sleep(0.05)

        one.do(lie)
        assert two.do(lambda: bool(neighbour("172.18.0.1")))
        return watcher.has_seen()

    assert not forked(work, timeout_s=60)


def change_address(interface: str) -> None:
    """As a container may that has CAP_NET_ADMIN."""
    with IPRoute() as route:
        index = socket.if_nametoindex(interface)
        route.link("set", index=index, state="down")
        route.link("set", index=index, address="02:00:00:00:00:99", ifname="mine")
        route.link("set", index=index, state="up")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_container_that_has_changed_its_link_is_disconnected_all_the_same(elsewhere: bool) -> None:
    """By its end in the hub: of the other one name, address and even the namespace are the container's to choose."""

    def work() -> None:
        world = World()
        mine = endpoint(APP, 2)
        one = world.container(mine)
        world.container(endpoint(APP, 3))
        hideout = Network()
        one.do(lambda: change_address("eth0"))
        if elsewhere:
            one.do(lambda: move("mine", hideout))
        where = hideout if elsewhere else one
        assert "mine" in where.do(links)
        attach.detach(world.hub.fd, mine)
        assert "mine" not in where.do(links)
        assert set(one.do(links)) == {"lo"}
        attach.attach(world.hub.fd, one.fd, [mine], first=False)
        assert one.do(lambda: ping("172.18.0.3"))

    forked(work, timeout_s=60)


def move(interface: str, network: Network) -> None:
    with IPRoute() as route:
        route.link("set", index=socket.if_nametoindex(interface), net_ns_fd=network.fd)


def test_a_link_of_the_containers_own_making_is_not_taken_for_the_networks() -> None:
    def work() -> None:
        world = World()
        mine = endpoint(APP, 2)
        one = world.container(mine)
        attach.detach(world.hub.fd, mine)

        def fake() -> None:
            with IPRoute() as route:
                route.link("add", ifname="eth0", kind="veth", address=mine.mac, peer={"ifname": "x"})

        one.do(fake)
        with pytest.raises(Conflict, match="the container has another interface eth0 already"):
            attach.attach(world.hub.fd, one.fd, [mine], first=False)

    forked(work, timeout_s=60)
