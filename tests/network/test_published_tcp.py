"""Published TCP ports on a network of the hub: the relay has both ends behave as if they were connected."""

from __future__ import annotations

import select
import socket
import struct

import pytest

from tests.need import need_program
from tests.network.hub_world import eventually
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import CONTAINERS, GATEWAY, HOST, OUTSIDE

need_program("ip")
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
ANY = "0.0.0.0", "::"
LOOPBACK = "127.0.0.1", "::1"


class Published:
    """A server in container "one", and the host's port that leads to it."""

    def __init__(self, internet: Internet, family: int = 0, *, target: int | None = None) -> None:
        to = family if target is None else target
        self.internet = internet
        self.server = internet.listen("one", ANY[to], 8080)
        self.port, self.socket = internet.publish("one", ANY[family], CONTAINERS["one"][to], 8080)
        self.number = self.socket.getsockname()[1]
        internet.set_containers(one=[self.port])

    def pair(self, where: str = "outside", address: str = HOST[0]) -> tuple[socket.socket, socket.socket]:
        """A client's connection, and what the server accepted."""
        client = self.internet.connect(where, address, self.number)
        served, _ = self.server.accept()
        served.settimeout(20)
        return client, served


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@FAMILIES
def test_the_server_sees_the_clients_address_and_port(family: int) -> None:
    def test(internet: Internet) -> None:
        published = Published(internet, family)
        client, served = published.pair("outside", HOST[family])
        assert served.getpeername()[:2] == client.getsockname()[:2]
        assert client.getsockname()[0] == OUTSIDE[family]

    in_internet(test)


@FAMILIES
def test_a_client_on_the_host_has_the_hosts_address(family: int) -> None:
    def test(internet: Internet) -> None:
        published = Published(internet, family)
        client, served = published.pair("host", HOST[family])
        assert served.getpeername()[:2] == client.getsockname()[:2]

    in_internet(test)


@FAMILIES
def test_a_client_on_loopback_is_shown_as_the_gateway(family: int) -> None:
    """CVE-2021-20199: shown as 127.0.0.1, anybody passes for a process of the container itself."""

    def test(internet: Internet) -> None:
        published = Published(internet, family)
        _, served = published.pair("host", LOOPBACK[family])
        assert served.getpeername()[0] == GATEWAY[family]

    in_internet(test)


def test_a_client_of_the_other_family_is_shown_as_the_gateway() -> None:
    def test(internet: Internet) -> None:
        published = Published(internet, 1, target=0)
        _, served = published.pair("outside", HOST[1])
        assert served.getpeername()[0] == GATEWAY[0]

    in_internet(test)


def test_a_client_with_a_containers_address_is_shown_as_the_gateway() -> None:
    """The host's own network may use the same addresses: nobody there is to pass for a container."""

    def test(internet: Internet) -> None:
        published = Published(internet)
        neighbour = CONTAINERS["two"][0]
        internet.ip("outside", f"addr add {neighbour}/32 dev eth0\n")
        internet.ip("host", f"route add {neighbour}/32 dev out0\n")
        client = internet.make_socket("outside")
        client.bind((neighbour, 0))
        client.connect((HOST[0], published.number))
        served, peer = published.server.accept()
        assert peer[0] == GATEWAY[0]
        client.sendall(b"x")
        assert received(served, 1) == b"x"

    in_internet(test)


def test_a_clients_port_may_lead_to_one_server_by_two_ports() -> None:
    def test(internet: Internet) -> None:
        published = Published(internet)
        second, listening = internet.publish("one", ANY[0], CONTAINERS["one"][0], 8080)
        internet.set_containers(one=[published.port, second])
        peers = []
        for number in (published.number, listening.getsockname()[1]):
            client = internet.make_socket("outside")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((OUTSIDE[0], 5555))
            client.connect((HOST[0], number))
            served, peer = published.server.accept()
            client.sendall(b"x")
            assert received(served, 1) == b"x"
            peers.append((client, served, peer))
        assert peers[0][2] == (OUTSIDE[0], 5555)
        assert peers[1][2][0] == GATEWAY[0]

    in_internet(test)


def test_a_port_of_which_nothing_listens_in_the_container_resets() -> None:
    def test(internet: Internet) -> None:
        published = Published(internet)
        published.server.close()
        with pytest.raises(ConnectionResetError):
            internet.connect("outside", HOST[0], published.number).recv(1)

    in_internet(test)


@pytest.mark.parametrize("first", [0, 1], ids=["client", "server"])
def test_an_end_is_passed_on_and_the_other_direction_goes_on(first: int) -> None:
    def test(internet: Internet) -> None:
        pair = Published(internet).pair()
        one, other = pair[first], pair[1 - first]
        one.sendall(b"question")
        one.shutdown(socket.SHUT_WR)
        assert received(other) == b"question"
        for _ in range(3):
            other.sendall(b"answer")
            assert received(one, 6) == b"answer"
        other.close()
        assert received(one) == b""
        assert eventually(lambda: internet.flows()["one"] == 0)

    in_internet(test)


@pytest.mark.parametrize("first", [0, 1], ids=["client", "server"])
def test_a_reset_is_passed_on_as_a_reset(first: int) -> None:
    def test(internet: Internet) -> None:
        pair = Published(internet).pair()
        reset(pair[first])
        with pytest.raises(ConnectionResetError):
            pair[1 - first].recv(1)
        assert eventually(lambda: internet.flows()["one"] == 0)

    in_internet(test)


def test_an_answer_comes_before_the_reset_of_a_server_that_did_not_read_all() -> None:
    """netd finds out when it writes to the server, whose answer it has not read yet."""

    def test(internet: Internet) -> None:
        client, served = Published(internet).pair()
        client.sendall(b"x" * 20000)
        assert select.select([served], [], [], 20)[0]
        internet.stop_netd()
        client.sendall(b"more")
        served.sendall(b"too large")
        served.close()  # a reset, since it has not read what came
        internet.continue_netd()
        assert received(client, 9) == b"too large"
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    in_internet(test)


@pytest.mark.parametrize("end", ["with", "after"])
def test_a_byte_out_of_band_is_one_of_the_stream(end: str) -> None:
    """splice(2) never gets past one, and calls it the end once that has come."""

    def test(internet: Internet) -> None:
        published = Published(internet)
        client = internet.connect("outside", HOST[0], published.number)
        if end == "with":
            internet.stop_netd()
        client.sendall(b"before")
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b"after")
        client.shutdown(socket.SHUT_WR)
        internet.continue_netd()
        served, _ = published.server.accept()
        assert received(served) == b"before!after"

    in_internet(test)


def test_the_ports_connections_end_with_the_container() -> None:
    def test(internet: Internet) -> None:
        client, _ = Published(internet).pair()
        internet.end_container("one")
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    in_internet(test)


def test_netd_killed_connections_are_reset_and_the_port_goes_on_with_another() -> None:
    """An end instead of a reset would pass for the whole answer."""

    def test(internet: Internet) -> None:
        published = Published(internet)
        pairs = [published.pair() for _ in range(100)]
        internet.kill_netd()
        waiting = internet.connect("outside", HOST[0], published.number)
        for pair in pairs:
            for connection in pair:
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)
        internet.set_containers(one=[published.port])
        served, peer = published.server.accept()
        assert peer == waiting.getsockname()
        waiting.sendall(b"x")
        assert received(served, 1) == b"x"

    in_internet(test)
