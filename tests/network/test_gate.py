"""Connections of containers outwards: what connect(2) says there is what it says in the host."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading

import pytest

from tests.need import need_program
from tests.network.hub_world import eventually
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import CONTAINERS, GATEWAY, HOST, OTHER_GATEWAY, OUTSIDE

need_program("ip")
need_program("tc")
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])


@FAMILIES
def test_a_container_reaches_the_outside_with_the_hosts_address(family: int) -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[family])
        client = internet.connect("one", OUTSIDE[family], server.getsockname()[1])
        served, peer = server.accept()
        assert peer[0] == HOST[family]
        assert client.getpeername()[:2] == server.getsockname()[:2]
        assert client.getsockname()[0] == CONTAINERS["one"][family]
        client.sendall(b"question")
        assert received(served, 8) == b"question"
        served.sendall(b"answer" * 100000)
        served.close()
        assert received(client) == b"answer" * 100000

    in_internet(test)


@FAMILIES
def test_a_connection_that_is_refused_is_refused(family: int) -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        for address in (OUTSIDE[family], HOST[family]):
            with pytest.raises(ConnectionRefusedError):
                internet.connect("one", address, 9)

    in_internet(test)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", errno.EHOSTUNREACH),  # the host has a route that says so
        ("10.9.9.9", errno.ENETUNREACH),  # the host has no route
        ("2001:db8:1::1", errno.ENETUNREACH),
    ],
)
def test_an_error_of_the_hosts_routes_is_the_containers(address: str, expected: int) -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        with pytest.raises(OSError) as raised:
            internet.connect("one", address, 80)
        assert raised.value.errno == expected

    in_internet(test)


@FAMILIES
def test_a_service_of_another_network_is_out_of_reach(family: int) -> None:
    """The host's socket would know nothing of the isolation between networks, so it is never asked."""

    def test(internet: Internet) -> None:
        internet.set_up()
        internet.listen("other", CONTAINERS["other"][family], 8080)
        with pytest.raises(OSError) as raised:
            internet.connect("one", CONTAINERS["other"][family], 8080)
        assert raised.value.errno in (errno.EHOSTUNREACH, errno.EACCES)

    in_internet(test)


def test_a_container_of_internal_networks_gets_nowhere() -> None:
    """Its bridge does not lead to the gate. Should a SYN of its come there all the same, the gate says nothing."""

    def test(internet: Internet) -> None:
        internet.internal.add("one")
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[0])
        client = internet.make_socket("one")
        client.setblocking(False)
        client.connect_ex(server.getsockname())
        internet.through_gate(who="two")
        assert select.select([server], [], [], 0)[0] == []

    in_internet(test)


def test_the_gateway_refuses_at_a_port_that_another_connection_is_made_to() -> None:
    """The socket that accepts in the hub has no address of its own: what it would take besides is kept from it."""

    def test(internet: Internet) -> None:
        internet.set_up()
        _, served = internet.through_gate()
        for gateway in (GATEWAY[0], OTHER_GATEWAY[0]):
            with pytest.raises(ConnectionRefusedError):
                internet.connect("one", gateway, served.getsockname()[1])

    in_internet(test)


def test_a_host_that_does_not_answer_is_waited_for_as_long_as_the_program_wants() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        client = internet.make_socket("one")
        client.settimeout(1.5)
        with pytest.raises(TimeoutError):
            client.connect(("198.51.100.1", 80))
        assert internet.flows()["one"] == 1
        client.close()
        assert eventually(lambda: internet.flows()["one"] == 0)

    in_internet(test)


def test_what_is_asked_while_netd_does_nothing_is_answered_afterwards() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        internet.stop_netd()
        server = internet.listen("outside", OUTSIDE[0])
        client = internet.make_socket("one")
        client.setblocking(False)
        assert client.connect_ex((OUTSIDE[0], server.getsockname()[1])) == errno.EINPROGRESS
        internet.continue_netd()
        client.settimeout(20)
        served, _ = server.accept()
        client.sendall(b"x")
        assert received(served, 1) == b"x"

    in_internet(test)


@pytest.mark.parametrize("first", [0, 1], ids=["container", "outside"])
def test_an_end_goes_through_and_the_other_direction_goes_on(first: int) -> None:
    """As of an FTP data connection, or `tar c | nc -N`."""

    def test(internet: Internet) -> None:
        internet.set_up()
        pair = internet.through_gate()
        one, other = pair[first], pair[1 - first]

        def send() -> None:
            one.sendall(b"x" * 3000000)
            one.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert received(other) == b"x" * 3000000
        sender.join()
        other.sendall(b"226 Transfer complete")
        other.close()
        assert received(one) == b"226 Transfer complete"
        assert eventually(lambda: internet.flows()["one"] == 0)

    in_internet(test)


@pytest.mark.parametrize("first", [0, 1], ids=["container", "outside"])
def test_a_reset_goes_through(first: int) -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        pair = internet.through_gate()
        pair[first].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pair[first].close()
        with pytest.raises(ConnectionResetError):
            pair[1 - first].recv(1)

    in_internet(test)


def test_netd_killed_its_connections_are_reset_and_new_ones_are_made_by_another() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        pairs = [internet.through_gate() for _ in range(100)]
        internet.kill_netd()
        for pair in pairs:
            for connection in pair:
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)
        server = internet.listen("outside", OUTSIDE[0])
        client = internet.make_socket("one")
        client.setblocking(False)
        client.connect_ex((OUTSIDE[0], server.getsockname()[1]))  # meanwhile, so that it tries again
        internet.set_containers()
        internet.switch_gate("on")
        served, _ = server.accept()
        served.sendall(b"x")
        client.settimeout(20)
        assert received(client, 1) == b"x"

    in_internet(test)


def test_a_containers_connections_end_with_it() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        _, served = internet.through_gate()
        internet.end_container("one")
        with pytest.raises(ConnectionResetError):
            served.recv(1)

    in_internet(test)
