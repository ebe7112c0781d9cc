"""Published UDP ports: through netd, by real bridges' rules, to a server that says whom it sees."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket

import pytest

from rootless.network.hub import netd
from rootless.network.hub.settings import OnNetwork, Port, set_container
from tests.need import need_program
from tests.network.hub_world import Container, World, eventually, in_world, inside, ip

need_program("ip")
APP = OnNetwork("app", "172.18.0.2", "fd18::2", ("web",))
OUTSIDE4, OUTSIDE6 = "192.0.2.7", "fd99::7"


def connected(world: World, ports: tuple[Port, ...] = ()) -> Container:
    """A container with a link to the hub, whose answers from port 80 to 89 come back to netd."""
    for address in (OUTSIDE4 + "/32", "192.0.2.8/32", OUTSIDE6 + "/128"):
        ip("address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    container = Container(1)
    with inside(world.hub):
        ip("link", "add", "v", "type", "veth", "peer", "eth0", "netns", f"/proc/{os.getpid()}/fd/{container.network}")
        ip("address", "add", "172.18.0.1/16", "dev", "v")
        ip("address", "add", "fd18::1/64", "dev", "v", "nodad")
        ip("link", "set", "v", "up")
        for family in ("-4", "-6"):
            ip(family, "route", "add", "local", "default", "dev", "lo", "table", "100")
            ip(family, "rule", "add", "iif", "v", "ipproto", "udp", "sport", "80-89", "lookup", "100")
    with inside(container.network):
        ip("address", "add", "172.18.0.2/16", "dev", "eth0")
        ip("address", "add", "fd18::2/64", "dev", "eth0", "nodad")
        ip("link", "set", "eth0", "up")
        ip("route", "add", "default", "via", "172.18.0.1")
        ip("-6", "route", "add", "default", "via", "fd18::1")
    set_container(world.netd, container.settings(APP, ports=ports))
    return container


def serve(container: Container, port: int = 80) -> None:
    """Answers each datagram with who sent it, its size and its beginning, to IPv4 and IPv6. A whole large one would come in
    fragments, of which only the first has ports for a routing rule."""
    with inside(container.network):
        server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        server.bind(("::", port))
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        while True:
            text, where = server.recvfrom(65535)
            server.sendto(f"{where[0].removeprefix('::ffff:')} {where[1]} {len(text)} ".encode() + text[:900], where)
    server.close()


def published(address: str = "0.0.0.0", target: str = "172.18.0.2", port: int = 80) -> tuple[socket.socket, Port]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, 0))
    return made, Port(made.fileno(), "udp", target, port, "fd18::1" if ":" in target else "172.18.0.1")


def client(source: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((source, 0))
    made.settimeout(60)
    return made


def exchange(sender: socket.socket, to: tuple[str, int], text: bytes = b"x") -> list[str]:
    """The words of the answer, which came from where the question went."""
    sender.sendto(text, to)
    data, where = sender.recvfrom(65535)
    assert where[:2] == to
    return data.decode().split(" ")


@pytest.mark.parametrize(
    ("source", "asked", "target"),
    [(OUTSIDE4, "192.0.2.8", "172.18.0.2"), (OUTSIDE6, OUTSIDE6, "fd18::2")],
)
def test_the_server_sees_the_clients_own_address(source: str, asked: str, target: str) -> None:
    def test(world: World) -> None:
        host, port = published("::" if ":" in asked else "0.0.0.0", target)
        serve(connected(world, (port,)))
        for _ in range(3):
            sender = client(source)
            for _ in range(3):
                assert exchange(sender, (asked, host.getsockname()[1])) == [
                    source, str(sender.getsockname()[1]), "1", "x",
                ]  # fmt: skip
        assert netd.ask(world.netd, "list")[0].endswith("flows 3 queries 0 sockets 1")

    in_world(test)


@pytest.mark.parametrize(
    ("source", "asked", "target", "seen"),
    [
        ("127.0.0.1", "127.0.0.1", "172.18.0.2", "172.18.0.1"),
        ("::1", "::1", "fd18::2", "fd18::1"),
        (OUTSIDE6, OUTSIDE6, "172.18.0.2", "172.18.0.1"),
    ],
)
def test_a_client_whose_address_cannot_be_used_is_the_gateway(source: str, asked: str, target: str, seen: str) -> None:
    def test(world: World) -> None:
        host, port = published("::" if ":" in asked else "0.0.0.0", target)
        serve(connected(world, (port,)))
        for text in (b"x", b"y"):
            words = exchange(client(source), (asked, host.getsockname()[1]), text)
            assert (words[0], words[3]) == (seen, text.decode())

    in_world(test)


@pytest.mark.parametrize("forged", ["172.18.0.77", "fd18::77"])
def test_a_client_with_a_containers_address_is_shown_as_the_gateway(forged: str) -> None:
    """Anybody on the host's network can write it into a datagram: it is not to pass for a container's."""

    def test(world: World) -> None:
        six = ":" in forged
        host, port = published("::" if six else "0.0.0.0", "fd18::2" if six else "172.18.0.2")
        serve(connected(world, (port,)))
        ip("address", "add", f"{forged}/{128 if six else 32}", "dev", "lo", *(["nodad"] if six else []))
        words = exchange(client(forged), (OUTSIDE6 if six else "192.0.2.8", host.getsockname()[1]))
        assert (words[0], words[3]) == ("fd18::1" if six else "172.18.0.1", "x")

    in_world(test)


def test_one_client_of_two_ports_that_lead_to_the_same() -> None:
    def test(world: World) -> None:
        (one, first), (other, second) = published(), published()
        serve(connected(world, (first, second)))
        sender = client(OUTSIDE4)
        for _ in range(3):
            assert exchange(sender, (OUTSIDE4, one.getsockname()[1]))[0] == OUTSIDE4
            assert exchange(sender, (OUTSIDE4, other.getsockname()[1]))[0] == "172.18.0.1"

    in_world(test)


def test_one_client_of_two_services() -> None:
    def test(world: World) -> None:
        (one, first), (other, second) = published(), published(port=81)
        container = connected(world, (first, second))
        serve(container)
        serve(container, 81)
        sender = client(OUTSIDE4)
        for each in (one, other):
            assert exchange(sender, (OUTSIDE4, each.getsockname()[1]))[0] == OUTSIDE4

    in_world(test)


def test_large_and_empty_datagrams() -> None:
    def test(world: World) -> None:
        host, port = published()
        serve(connected(world, (port,)))
        for size in (0, 1, 1472, 9000, 60000):
            words = exchange(client(OUTSIDE4), (OUTSIDE4, host.getsockname()[1]), b"z" * size)
            assert words[2:] == [str(size), "z" * min(size, 900)]

    in_world(test)


def test_a_server_that_starts_late_gets_the_next_datagram() -> None:
    def test(world: World) -> None:
        host, port = published()
        container = connected(world, (port,))
        sender = client(OUTSIDE4)
        sender.sendto(b"lost", (OUTSIDE4, host.getsockname()[1]))
        assert eventually(lambda: "flows 1" in netd.ask(world.netd, "list")[0])
        serve(container)
        assert exchange(sender, (OUTSIDE4, host.getsockname()[1]))[0] == OUTSIDE4

    in_world(test)


def test_flows_have_a_limit_and_the_oldest_unanswered_gives_way() -> None:
    def test(world: World) -> None:
        host, port = published()
        container = connected(world, (port,))
        where = (OUTSIDE4, host.getsockname()[1])
        # An eighth of the descriptors is for flows of UDP, and of those four fifths for one container.
        most = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 8 * 4 // 5)
        senders = [f"127.{a}.{b}.1" for a in range(1, 18) for b in range(250)]
        for number, source in enumerate(senders):
            with client(source) as sender:
                sender.sendto(b"x", where)
            if number % 100 == 0:
                netd.ask(world.netd, "status")  # so that no queue overflows
        assert eventually(lambda: f"flows {most} " in netd.ask(world.netd, "list")[0])
        serve(container)
        assert exchange(client(OUTSIDE4), where)[0] == OUTSIDE4
        assert f"flows {most} " in netd.ask(world.netd, "list")[0]
        container.end()
        assert eventually(lambda: world.listed() == [])
        assert eventually(lambda: len(os.listdir(f"/proc/{world.pid()}/fd")) < 20)

    in_world(test)


def test_flows_stay_over_a_set_and_go_with_their_port() -> None:
    def test(world: World) -> None:
        host, port = published()
        container = connected(world, (port,))
        serve(container)
        sender = client(OUTSIDE4)
        where = (OUTSIDE4, host.getsockname()[1])
        first = exchange(sender, where)
        set_container(world.netd, container.settings(APP, ports=(port,)))
        assert "flows 1" in netd.ask(world.netd, "list")[0]
        assert exchange(sender, where) == first
        set_container(world.netd, container.settings(APP))
        assert "flows 0" in netd.ask(world.netd, "list")[0]

    in_world(test)
