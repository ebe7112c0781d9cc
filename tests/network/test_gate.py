"""Connections of containers outwards: what connect(2) says there is what it says in the host."""

from __future__ import annotations

import errno

import pytest

from tests.need import need_program
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import CONTAINERS, HOST, OUTSIDE

need_program("ip")
need_program("tc")
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])


def opened(internet: Internet) -> None:
    internet.set_containers()
    internet.open_gate()


@FAMILIES
def test_a_container_reaches_the_outside_with_the_hosts_address(family: int) -> None:
    def test(internet: Internet) -> None:
        opened(internet)
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
        opened(internet)
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
        opened(internet)
        with pytest.raises(OSError) as raised:
            internet.connect("one", address, 80)
        assert raised.value.errno == expected

    in_internet(test)
