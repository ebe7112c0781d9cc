"""The hub's way out, untranslated: what containers reach by it, and what they do not."""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

from rootless.network.hub import uplink
from rootless.network.uplink import program
from rootless.network.uplink.slirp4netns import start
from rootless.network.uplink.slirp4netns.options import SlirpOptions
from tests.harness.forked import forked
from tests.need import need
from tests.network import frames
from tests.network.bridged_world import (
    APP,
    FAR4,
    FAR6,
    HOST4,
    OTHER,
    PORT,
    World,
    echo,
    echo_on_loopback,
    endpoint,
    neighbour,
    ping,
    tcp,
    udp,
)

need(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun may not be opened")


def test_two_networks_have_one_way_out() -> None:
    def work() -> list[list[str]]:
        world = World()
        made = uplink.ensure_uplink(world.hub.fd)
        assert made is not None
        assert made.warnings == ()
        assert uplink.ensure_uplink(world.hub.fd) is None, "it runs"
        containers = [world.container(endpoint(bridge, 2)) for bridge in (APP, OTHER)]
        return [container.do(lambda: [tcp(FAR4), udp(FAR4), udp(FAR4, size=5000), tcp(FAR4, 1)]) for container in containers]

    assert forked(work) == 2 * [[HOST4, HOST4, HOST4, "Connection refused"]]


def test_ping_goes_out_where_the_host_lets_its_users_ping() -> None:
    def work() -> bool:
        world = World()
        # of group 0 in this user namespace, which is the caller's own
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
        uplink.ensure_uplink(world.hub.fd)
        return world.container(endpoint(APP, 2)).do(lambda: ping(FAR4))

    assert forked(work)


def test_ipv6_that_goes_nowhere_is_told_at_once() -> None:
    def work() -> list[str]:
        world = World()
        uplink.ensure_uplink(world.hub.fd)
        return world.container(endpoint(APP, 2)).do(lambda: [tcp(FAR6), tcp(FAR6, 1)])

    assert forked(work) == 2 * ["Network is unreachable"]


def test_without_uplink_it_is_told_at_once() -> None:
    def work() -> list[str]:
        return World().container(endpoint(APP, 2)).do(lambda: [tcp(FAR4), tcp(FAR4, 1)])

    assert forked(work) == 2 * ["No route to host"]


def test_a_killed_uplink_is_started_again() -> None:
    def work() -> list[str]:
        world = World()
        first = uplink.ensure_uplink(world.hub.fd)
        assert first is not None
        container = world.container(endpoint(APP, 2))
        os.kill(first.pid, signal.SIGKILL)
        os.waitpid(first.pid, 0)
        there = container.do(lambda: tcp(FAR4))
        assert uplink.ensure_uplink(world.hub.fd) is not None
        return [there, container.do(lambda: tcp(FAR4))]

    assert forked(work) == ["No route to host", HOST4]


def test_one_whose_maker_was_killed_is_replaced() -> None:
    """Before it was whole, and its slirp4netns, which ends with the maker, has not ended yet."""

    def work() -> str:
        world = World()
        options = SlirpOptions(cidr=uplink.CIDR, allow_host_loopback=False)
        left, _ = start.start_in_hub(world.hub.fd, options)
        assert uplink.ensure_uplink(world.hub.fd) is not None
        program.stop(left)
        assert uplink.ensure_uplink(world.hub.fd) is None
        return world.container(endpoint(APP, 2)).do(lambda: udp(FAR4))

    assert forked(work) == HOST4


def test_it_ends_with_the_last_copy_of_its_descriptor() -> None:
    def work() -> None:
        made = uplink.ensure_uplink(World().hub.fd)
        assert made is not None
        os.close(made.exit_fd)
        assert select.select([made.pidfd], [], [], 20)[0]

    forked(work)


def test_what_is_the_hosts_own_or_the_uplinks_is_not_reached() -> None:
    """Its gateway, its name server and the hub's address on its link; the host's loopback, however it is spelt."""

    def work() -> list[str]:
        world = World()
        world.on_host(echo_on_loopback)
        uplink.ensure_uplink(world.hub.fd)
        addresses = ["198.51.100.2", "198.51.100.3", "198.51.100.100", "10.0.2.2", "127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"]
        return world.container(endpoint(APP, 2)).do(lambda: [tcp(address, timeout_s=1) for address in addresses])

    refused = ["No route to host"] * 3
    answers = forked(work)
    assert answers[:3] == refused
    assert not {"127.0.0.1", "::1", HOST4, "172.18.0.2"} & set(answers)


def test_packets_to_a_loopback_address_end_at_the_hub() -> None:
    def work() -> list[bool]:
        world = World()
        world.hub.spawn(lambda: echo(("127.0.0.1",)))
        world.on_host(echo_on_loopback)
        uplink.ensure_uplink(world.hub.fd)
        container = world.container(endpoint(APP, 2))
        world.hub.spawn(lambda: echo(("172.18.0.1",)))

        def attempt() -> list[bool]:
            found = []
            for to in ("172.18.0.1", "127.0.0.1", "127.1.2.3"):
                seen = frames.Seen()
                gateway = neighbour("172.18.0.1")
                for _ in range(20):
                    frames.send(frames.datagram4("172.18.0.2", to, PORT), gateway)
                    if seen.with_text(b"172.18.0.2", within_s=0.1):
                        found.append(True)
                        break
                else:
                    found.append(False)
            return found

        return container.do(attempt)

    assert forked(work) == [True, False, False]


def test_an_answer_goes_to_who_has_asked_whatever_port_he_sends_from() -> None:
    """pasta has one socket for two containers that use the same port, and gives one's answer to the other."""

    def work() -> list[bytes]:
        world = World()
        uplink.ensure_uplink(world.hub.fd)
        bound, tell = os.pipe()
        world.internet.spawn(lambda: answer_two(tell))
        assert os.read(bound, 1)
        first, second = (world.container(endpoint(bridge, 2)) for bridge in (APP, OTHER))
        answered, answer = os.pipe()

        def ask_first() -> None:
            os.write(answer, ask_from_one_port(b"first"))

        first.spawn(ask_first)
        return [second.do(lambda: ask_from_one_port(b"second")), os.read(answered, 100)]

    assert forked(work) == [b"second", b"first"]


def answer_two(tell: int) -> None:
    """When both have asked, each gets what he has sent."""
    with socket.socket(type=socket.SOCK_DGRAM) as serving:
        serving.bind((FAR4, PORT + 1))
        os.write(tell, b"x")
        for text, peer in [serving.recvfrom(100) for _ in range(2)]:
            serving.sendto(text, peer)


def ask_from_one_port(text: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(40)
        asking.bind(("", 5555))
        asking.sendto(text, (FAR4, PORT + 1))
        return asking.recv(100)
