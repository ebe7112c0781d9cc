"""A container with CAP_NET_RAW against the hub: gateways and containers of other networks, neighbours' addresses, forged
sources, router advertisements, a look at all that the hub has."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from rootless.network.hub import uplink
from tests.harness.forked import forked
from tests.need import need
from tests.network import frames
from tests.network.bridged_looks import default_routes, everything, wait_for
from tests.network.bridged_world import (
    APP,
    FAR4,
    OTHER,
    PORT,
    Network,
    World,
    echo,
    endpoint,
    neighbour,
    ping,
    tcp,
    udp,
)

HERE, THERE = endpoint(APP, 2), endpoint(OTHER, 2)
NO_WAY = {"No route to host", "Permission denied", "Network is unreachable"}


def test_gateways_of_other_networks_are_closed() -> None:
    """What the hub itself listens at, on every address it has: reached by one's own gateway, and by no other address. The
    kernel's table of local addresses comes first where nobody changes that (Docker's isolation has such a hole)."""

    def work() -> None:
        world = World()
        one = world.container(HERE)
        world.container(THERE)
        world.hub.spawn(lambda: echo(("172.18.0.1", "172.19.0.1", "fd11::1", "fd22::1")))
        wait_for(lambda: one.do(lambda: [tcp("172.18.0.1"), tcp("fd11::1")]) == ["172.18.0.2", "fd11::2"])
        assert one.do(lambda: [tcp("fd11::1"), udp("172.18.0.1"), udp("fd11::1"), ping("172.18.0.1")]) == [
            "fd11::2", "172.18.0.2", "fd11::2", True
        ]  # fmt: skip
        for address in ("172.19.0.1", "fd22::1"):
            seen = one.do(lambda: [tcp(address), udp(address, timeout_s=1)])  # noqa: B023 - called at once
            assert set(seen) <= NO_WAY, (address, seen)
        assert not one.do(lambda: ping("172.19.0.1", timeout_s=1))

    forked(work)


def test_frames_made_by_hand_reach_no_other_network() -> None:
    """By the bridge's MAC address, with one's own source, a neighbour's, that of the other network, and its gateway's."""

    def work() -> None:
        world = World()
        one, other = world.container(HERE), world.container(THERE)
        for hub_address in ("172.19.0.1", "fd22::1"):
            world.hub.spawn(lambda hub_address=hub_address: echo((hub_address,)))  # type: ignore[misc]
        arrived = watch(other, b"forged")

        def attack() -> None:
            gateway = neighbour("172.18.0.1")
            for source in ("172.18.0.2", "172.18.0.77", "172.19.0.7", "172.19.0.1", "127.0.0.1", "9.8.7.6"):
                frames.send(frames.datagram4(source, "172.19.0.2", PORT, b"forged"), gateway)
                frames.send(frames.datagram4(source, "172.19.255.255", PORT, b"forged"), gateway)
            for source in ("fd11::2", "fd22::7", "fd22::1", "::1"):
                frames.send(frames.datagram6(source, "fd22::2", PORT, b"forged"), gateway)

        one.do(attack)
        last = frames.datagram4("172.19.0.3", "172.19.0.2", PORT, b"forged by a neighbour")
        world.container(endpoint(OTHER, 3)).do(lambda: frames.send(last, neighbour("172.19.0.2")))
        assert b"by a neighbour" in arrived(), "a forged packet has come to a container of the other network"

    forked(work)


def test_a_forged_source_leaves_nothing_outside() -> None:
    """Another network's container, a neighbour that is not there on no network of ours, the host, a loopback address."""
    need(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun may not be opened")

    def work() -> None:
        world = World()
        uplink.ensure_uplink(world.hub.fd)
        one = world.container(HERE)
        world.container(THERE)
        arrived = watch(world.internet, b"forged")

        def attack() -> None:
            gateway = neighbour("172.18.0.1")
            for source in ("172.19.0.2", "198.51.100.100", "198.51.100.2", "192.0.2.2", "127.0.0.1", "9.9.9.9"):
                frames.send(frames.datagram4(source, FAR4, PORT, b"forged"), gateway)
            frames.send(frames.datagram4("172.18.0.2", FAR4, PORT, b"forged by nobody"), gateway)

        one.do(attack)
        assert b"by nobody" in arrived(), "a forged packet has left the host"

    forked(work)


def test_an_address_claimed_on_one_network_is_not_believed_on_another() -> None:
    """ARP that says another network's container, its gateway and the uplink are here: the hub asks for each where it is."""
    need(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun may not be opened")

    def work() -> None:
        world = World()
        uplink.ensure_uplink(world.hub.fd)
        one, other = world.container(HERE), world.container(THERE)
        other.spawn(lambda: echo(("172.19.0.2",)))

        def claim() -> None:
            mine = frames.mac()
            for _ in range(3):
                for address in ("172.19.0.2", "172.19.0.1", "198.51.100.2", "198.51.100.100"):
                    frames.send_frame(frames.arp_reply(address, mine))
                    frames.send_frame(frames.arp_reply(address, mine, neighbour("172.18.0.1")))

        one.do(claim)
        wait_for(lambda: world.hub.do(lambda: udp("172.19.0.2")) == "172.19.0.1")
        one.do(claim)
        assert world.hub.do(lambda: udp("172.19.0.2")) == "172.19.0.1"
        assert other.do(lambda: udp(FAR4)) not in ("TimeoutError", "No route to host")
        mine = one.do(frames.mac).hex(":")
        with_it = world.hub.do(lambda: neighbours_at(mine))
        assert with_it <= {"172.18.0.2", "fd11::2"}, with_it

    forked(work)


def test_nobody_is_a_router_but_the_gateway() -> None:
    """CVE-2020-13401: router advertisements of a container, to the hub and to its neighbours, change no route."""

    def work() -> None:
        world = World()
        one, two = world.container(HERE), world.container(endpoint(APP, 3))
        before = [world.hub.do(everything), two.do(default_routes)]

        def advertise() -> None:
            source = socket.inet_pton(socket.AF_INET6, "fe80::bad")
            everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")
            prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "fd66::")
            body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
            checksum = frames._sum(source + everybody + struct.pack(">II", len(body), 58) + body)
            body = body[:2] + struct.pack(">H", checksum) + body[4:]
            packet = struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + source + everybody + body
            for _ in range(3):
                frames.send(packet, b"\x33\x33\0\0\0\x01")

        one.do(advertise)
        assert not two.do(lambda: ping("172.18.0.99", timeout_s=0.5))
        assert [world.hub.do(everything), two.do(default_routes)] == before

    forked(work)


@pytest.mark.parametrize("address", ["172.18.0.1", "172.19.0.1", "198.51.100.100", "127.0.0.1"])
def test_a_look_at_all_ports_of_the_hub_finds_none(address: str) -> None:
    """By raw SYNs to the gateway's MAC address, so that no route of the container's own answers for the hub."""

    def work() -> None:
        world = World()
        one = world.container(HERE)
        world.container(THERE)
        world.hub.spawn(lambda: echo(("127.0.0.1", "172.19.0.1")))

        def look() -> bytes | None:
            gateway, seen = neighbour("172.18.0.1"), frames.Seen()
            for port in (22, 53, 80, 111, 443, 2049, 6000, PORT, 8080, 50000):
                frames.send(syn("172.18.0.2", address, port), gateway)
            deadline_frames = 40
            while deadline_frames and (frame := seen.with_text(socket.inet_aton(address) + socket.inet_aton("172.18.0.2"), within_s=0.5)):
                if frame[23] == 6 and frame[47] & 0x12 == 0x12:
                    return frame
                deadline_frames -= 1
            return None

        assert one.do(look) is None, "something in the hub answers a container"

    forked(work)


def watch(network: Network, text: bytes) -> Callable[[], bytes]:
    """From now on the network's eth0 is looked at for frames with `text`; what to call after all was sent: the first one that has
    come, b"nothing" after a while."""
    ready, tell = os.pipe()
    found, report = os.pipe()

    def look() -> None:
        seen = frames.Seen()
        os.write(tell, b"1")
        os.write(report, seen.with_text(text, within_s=10) or b"nothing")

    network.spawn(look)
    os.read(ready, 1)

    return lambda: os.read(found, 1 << 16)


def neighbours_at(mac: str) -> set[str]:
    """Whom this namespace takes to be at a MAC address, link-local addresses left out."""
    with IPRoute() as route:
        found = [each.get_attr("NDA_DST") for each in route.get_neighbours() if each.get_attr("NDA_LLADDR") == mac]
    return {str(each) for each in found if not str(each).startswith("fe80")}


def syn(source: str, to: str, port: int) -> bytes:
    """A SYN in IPv4."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    body = struct.pack(">HHIIBBHHH", 40000, port, 1, 0, 5 << 4, 2, 64240, 0, 0)
    checksum = frames._sum(ends + struct.pack(">HH", 6, len(body)) + body)
    body = body[:16] + struct.pack(">H", checksum) + body[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, 6, 0)
    return head[:10] + struct.pack(">H", frames._sum(head + ends)) + ends + body
