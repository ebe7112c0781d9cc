"""Containers on bridges of the hub: what is made, what is reached, what is left. pyroute2 looks, beside what made it."""

from __future__ import annotations

import os
import socket

import pytest

from rootless.errors import Conflict
from rootless.network.hub import attach
from rootless.network.hub.endpoint import Bridge
from tests.harness.forked import forked
from tests.network.bridged_looks import addresses, default_routes, everything, links, wait_for
from tests.network.bridged_world import APP, OTHER, Container, Network, World, echo, endpoint, ping, tcp, udp

CLOSED = Bridge("c3" * 32, "172.20.0.0/16", "172.20.0.1", internal=True)
APART = Bridge("d4" * 32, "172.21.0.0/16", "172.21.0.1", "fd44::/64", "fd44::1", icc=False)


def test_a_container_has_an_interface_on_its_network() -> None:
    def work() -> None:
        world = World(mtu=1400)
        container = world.container(endpoint(APP, 2))
        seen = container.do(links)["eth0"]
        assert seen == {"kind": "veth", "mtu": 1400, "mac": "02:42:a1:00:00:02", "up": True, "master": None}
        assert container.do(lambda: addresses("eth0")) == {"172.18.0.2/16", "fd11::2/64"}
        assert container.do(default_routes) == {2: "172.18.0.1 eth0", 10: "fd11::1 eth0"}
        hub = world.hub.do(links)
        assert (hub[APP.name]["kind"], hub[APP.name]["mtu"], hub[APP.name]["up"]) == ("bridge", 1400, True)
        assert [link["master"] for name, link in hub.items() if name.startswith("veth")] == [APP.name]
        assert world.hub.do(lambda: addresses(APP.name)) == {"172.18.0.1/16", "fd11::1/64"}

    forked(work)


def test_the_bridge_keeps_its_size_and_address_when_containers_come_and_go() -> None:
    def work() -> None:
        world = World(mtu=1400)
        first = world.container(endpoint(APP, 2))
        before = world.hub.do(links)[APP.name]
        first.end()
        wait_for(lambda: len(world.hub.do(links)) == 2)
        assert world.container(endpoint(APP, 3)).do(links)["eth0"]["mtu"] == 1400
        after = world.hub.do(links)[APP.name]
        assert (after["mtu"], after["mac"]) == (before["mtu"], before["mac"])

    forked(work)


def test_neighbours_reach_each_other_and_no_other_network() -> None:
    def work() -> list[object]:
        world = World()
        one, two, other = (world.container(each) for each in (endpoint(APP, 2), endpoint(APP, 3), endpoint(OTHER, 2)))
        for each, number, bridge in ((two, 3, APP), (other, 2, OTHER)):
            mine = endpoint(bridge, number)
            each.spawn(lambda mine=mine: echo((mine.address4, mine.address6)))  # type: ignore[misc]
        wait_for(lambda: one.do(lambda: tcp("fd11::3")) == "fd11::2")
        wait_for(lambda: other.do(lambda: tcp("fd22::2")) == "fd22::2")
        return one.do(lambda: [
            tcp("172.18.0.3"), udp("172.18.0.3"), udp("fd11::3"), ping("172.18.0.3"), ping("172.18.0.1"),
            tcp("172.19.0.2"), tcp("fd22::2"), udp("172.19.0.2", timeout_s=0.5), ping("172.19.0.2", timeout_s=0.5),
        ])  # fmt: skip

    assert forked(work) == [
        "172.18.0.2", "172.18.0.2", "fd11::2", True, True,
        "No route to host", "Permission denied", "No route to host", False,
    ]  # fmt: skip


def test_containers_of_a_network_without_icc_reach_its_gateway_alone() -> None:
    def work() -> list[bool]:
        world = World()
        one = world.container(endpoint(APART, 2))
        world.container(endpoint(APART, 3))
        return one.do(lambda: [ping("172.21.0.1"), ping("172.21.0.3", timeout_s=1)])

    assert forked(work) == [True, False]


def test_an_internal_network_has_no_default_route_and_its_gateway_answers() -> None:
    def work() -> None:
        world = World()
        one = world.container(endpoint(CLOSED, 2))
        assert one.do(default_routes) == {}
        assert one.do(lambda: [ping("172.20.0.1"), tcp("9.8.7.6")]) == [True, "Network is unreachable"]

    forked(work)


def test_a_container_of_several_networks() -> None:
    def work() -> None:
        world = World()
        first, second = endpoint(APP, 2), endpoint(OTHER, 2, interface="eth1", default=False)
        container = world.container(first, second)
        assert container.do(lambda: addresses("eth1")) == {"172.19.0.2/16", "fd22::2/64"}
        assert container.do(default_routes) == {2: "172.18.0.1 eth0", 10: "fd11::1 eth0"}
        attach.set_default(container.fd, second, second)
        assert container.do(default_routes) == {2: "172.19.0.1 eth1", 10: "fd22::1 eth1"}
        attach.detach(world.hub.fd, second)
        assert container.do(default_routes) == {}
        attach.set_default(container.fd, first, None)
        assert container.do(default_routes) == {2: "172.18.0.1 eth0"}
        assert set(container.do(links)) == {"lo", "eth0"}
        attach.detach(world.hub.fd, second)

    forked(work)


def test_what_is_there_is_left_alone() -> None:
    def work() -> None:
        world = World()
        container = world.container(endpoint(APP, 2))
        before = [world.hub.do(everything), container.do(links)]
        attach.attach(world.hub.fd, container.fd, container.endpoints, first=False)
        assert [world.hub.do(everything), container.do(links)] == before

    forked(work)


def test_another_interface_of_that_name_is_told() -> None:
    def work() -> None:
        world = World()
        container = world.container(endpoint(APP, 2))
        with pytest.raises(Conflict, match="another interface eth0"):
            attach.attach(world.hub.fd, container.fd, [endpoint(OTHER, 2)], first=False)

    forked(work)


def test_many_at_once_make_one_bridge() -> None:
    def work() -> None:
        world = World()
        networks = [Network() for _ in range(6)]
        children = []
        for number, network in enumerate(networks, 2):
            pid = os.fork()
            if pid == 0:
                attach.attach(world.hub.fd, network.fd, [endpoint(APP, number)], first=True)
                os._exit(0)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
        assert networks[0].do(lambda: [ping(f"172.18.0.{number}") for number in range(1, 8)]) == [True] * 7

    forked(work)


def test_the_resolvers_sockets_are_in_the_container() -> None:
    def work() -> None:
        world = World()
        container: Container = world.container(endpoint(APP, 2))
        both = container.attached
        with socket.socket(fileno=both.resolver_udp) as datagrams, socket.socket(fileno=both.resolver_tcp) as listening:
            assert datagrams.getsockname() == listening.getsockname() == ("127.0.0.11", 53)
            asked = os.fork()
            if asked == 0:
                container.do(lambda: udp("127.0.0.11", 53, timeout_s=0.2))
                os._exit(0)
            os.waitpid(asked, 0)
            datagrams.settimeout(10)
            assert len(datagrams.recv(100)) == 2

    forked(work)
