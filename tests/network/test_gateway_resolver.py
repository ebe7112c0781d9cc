"""Containers with a server of their own at port 53: they ask at their gateway's address."""

from __future__ import annotations

import functools
import socket

import dns.message
import dns.query
import dns.rcode
import pytest

from rootless.network.hub.settings import OnNetwork, Settings, set_container
from tests.need import need_program
from tests.network.internet import Internet, in_internet
from tests.network.internet_links import CONTAINERS, GATEWAY, OTHER_GATEWAY, OUTSIDE

need_program("ip")
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])


def settings(internet: Internet, name: str, *at: str) -> Settings:
    four, six = CONTAINERS[name]
    return Settings(
        f"{list(CONTAINERS).index(name) + 1:064x}", pidfd=internet.pidfds[name], resolver_at=at,
        networks=(OnNetwork("other" if name == "other" else "app", four, six, (name,)),), internal=True,
    )  # fmt: skip


def tell(internet: Internet, *all_settings: Settings) -> None:
    for each in all_settings:
        internet.in_session(functools.partial(set_container, internet.netd, each))


def ask(internet: Internet, who: str, where: str, name: str, *, tcp: bool, timeout: float = 20) -> dns.message.Message:
    with internet.inside(who):
        send = dns.query.tcp if tcp else dns.query.udp
        return send(dns.message.make_query(name, "A"), where, timeout=timeout)


@FAMILIES
@pytest.mark.parametrize("tcp", [False, True])
def test_a_container_asks_at_its_gateway(family: int, tcp: bool) -> None:
    def test(internet: Internet) -> None:
        tell(internet, settings(internet, "one", GATEWAY[family]), settings(internet, "two"))
        tell(internet, settings(internet, "other", OTHER_GATEWAY[family]))
        own = internet.make_socket("one", socket.AF_INET, socket.SOCK_DGRAM)
        own.bind(("0.0.0.0", 53))
        internet.listen("one", "0.0.0.0", 53)
        answer = ask(internet, "one", GATEWAY[family], "two", tcp=tcp)
        assert answer.answer[0][0].to_text() == CONTAINERS["two"][0]
        assert ask(internet, "one", GATEWAY[family], "other", tcp=tcp).rcode() == dns.rcode.NXDOMAIN
        answer = ask(internet, "other", OTHER_GATEWAY[family], "other", tcp=tcp)
        assert answer.answer[0][0].to_text() == CONTAINERS["other"][0]

    in_internet(test)


@FAMILIES
def test_it_answers_nobody_else(family: int) -> None:
    """A container that has not asked for it; one that asks no more."""

    def test(internet: Internet) -> None:
        one = settings(internet, "one", GATEWAY[family])
        tell(internet, one, settings(internet, "two"))
        for tcp in (False, True):
            with pytest.raises((dns.exception.Timeout, EOFError, OSError)):
                ask(internet, "two", GATEWAY[family], "two", tcp=tcp, timeout=0.5)
        tell(internet, one, one._replace(networks=one.networks))
        assert ask(internet, "one", GATEWAY[family], "one", tcp=True).answer
        tell(internet, one._replace(resolver_at=()))
        for tcp in (False, True):
            with pytest.raises((dns.exception.Timeout, EOFError, OSError)):
                ask(internet, "one", GATEWAY[family], "one", tcp=tcp, timeout=0.5)

    in_internet(test)


@FAMILIES
def test_beside_the_gate(family: int) -> None:
    """While another connection is made to port 53 of an address outside, for which the gate listens at all addresses."""
    need_program("tc")

    def test(internet: Internet) -> None:
        one = settings(internet, "one", GATEWAY[family])._replace(internal=False)
        tell(internet, one, settings(internet, "two")._replace(internal=False))
        internet.open_gate()
        server = internet.listen("outside", OUTSIDE[family], 53)
        for _ in range(3):
            client = internet.connect("two", OUTSIDE[family], 53)
            server.accept()[0].close()
            assert ask(internet, "one", GATEWAY[family], "two", tcp=True).answer
            client.close()

    in_internet(test)


def test_a_container_that_ends_takes_its_gateway_along() -> None:
    def test(internet: Internet) -> None:
        tell(internet, settings(internet, "one", GATEWAY[0]), settings(internet, "two", GATEWAY[0]))
        connection = internet.connect("one", GATEWAY[0], 53)
        internet.end_container("one")
        assert connection.recv(10) == b""
        assert ask(internet, "two", GATEWAY[0], "two", tcp=True).answer

    in_internet(test)
