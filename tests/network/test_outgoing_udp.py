"""What a container sends first, from a UDP port of its that is published: it leaves from the host's published port."""

from __future__ import annotations

import socket

import pytest

from rootless.network.hub import netd
from rootless.network.hub.rules import port_rules, send_rules
from rootless.network.hub.settings import OnNetwork, Port, Settings, set_container
from tests.harness.forked import forked
from tests.need import need_program
from tests.network.internet import Internet
from tests.network.internet_links import CONTAINERS, GATEWAY, HOST, OUTSIDE, endpoint

need_program("ip")

PORT = 5000


def bound(internet: Internet, name: str, address: str, port: int = 0) -> socket.socket:
    made = internet.make_socket(name, socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


class Published:
    """The container `one` has its UDP port published at any port of the host's address, or of another one of the host's."""

    def __init__(self, internet: Internet, family: int, *, internal: bool = False, at: str = "") -> None:
        rules = [rule.add for rule in port_rules(endpoint("one"), "udp", PORT, PORT)]
        internet.in_session(lambda: send_rules(internet.namespaces["hub"], rules))
        self.host = bound(internet, "host", at or HOST[family])
        self.container = bound(internet, "one", CONTAINERS["one"][family], PORT)
        self.outside = bound(internet, "outside", OUTSIDE[family])
        port = Port(self.host.fileno(), "udp", CONTAINERS["one"][family], PORT, GATEWAY[family])
        four, six = CONTAINERS["one"]
        settings = Settings(
            f"{1:064x}", pidfd=internet.pidfds["one"], networks=(OnNetwork("app", four, six, ("one",)),),
            ports=(port,), internal=internal,
        )  # fmt: skip
        internet.in_session(lambda: set_container(internet.netd, settings))


@pytest.mark.parametrize("family", [0, 1])
def test_it_leaves_from_the_published_port_and_is_answered(family: int) -> None:
    def work() -> None:
        with Internet() as internet:
            made = Published(internet, family)
            for text in (b"first", b"second"):
                made.container.sendto(text, made.outside.getsockname())
                data, where = made.outside.recvfrom(100)
                assert (data, where[:2]) == (text, made.host.getsockname()[:2])
                made.outside.sendto(text.upper(), where)
                data, where = made.container.recvfrom(100)
                assert (data, where[:2]) == (text.upper(), made.outside.getsockname()[:2])

    forked(work)


@pytest.mark.parametrize("family", [0, 1])
def test_it_goes_nowhere_but_outside(family: int) -> None:
    """Not to a container of another network, nor to the hub; and from an internal network nowhere at all."""

    def work() -> None:
        with Internet() as internet:
            made = Published(internet, family)
            listening = bound(internet, "other", CONTAINERS["other"][family], PORT)
            for address in (CONTAINERS["other"][family], GATEWAY[family]):
                made.container.sendto(b"x", (address, PORT))
            made.container.sendto(b"good", made.outside.getsockname())
            assert made.outside.recv(100) == b"good"
            listening.setblocking(False)
            with pytest.raises(BlockingIOError):
                listening.recv(100)
            assert internet.in_session(lambda: netd.ask(internet.netd, "list"))[0].split()[2] == "1"

    forked(work)


def test_it_stays_on_an_internal_network() -> None:
    def work() -> None:
        with Internet() as internet:
            made = Published(internet, 0, internal=True)
            made.container.sendto(b"x", made.outside.getsockname())
            assert internet.in_session(lambda: netd.ask(internet.netd, "list"))[0].split()[2] == "0"
            made.outside.settimeout(0.5)
            with pytest.raises(TimeoutError):
                made.outside.recv(100)

    forked(work)


@pytest.mark.parametrize("family", [0, 1])
def test_what_is_published_on_the_hosts_loopback_sends_to_nobody_first(family: int) -> None:
    """It would leave from 127.0.0.1, and a service of the host's would take the container for a program of the host's
    (CVE-2021-20199, the other way round)."""

    def work() -> None:
        with Internet() as internet:
            made = Published(internet, family, at=("127.0.0.1", "::1")[family])
            service = bound(internet, "host", ("0.0.0.0", "::")[family])
            made.container.sendto(b"x", (HOST[family], service.getsockname()[1]))
            service.settimeout(0.5)
            with pytest.raises(TimeoutError):
                service.recv(100)
            client = bound(internet, "host", ("127.0.0.1", "::1")[family])
            client.sendto(b"asked", made.host.getsockname())
            data, where = made.container.recvfrom(100)
            made.container.sendto(data.upper(), where)
            assert client.recv(100) == b"ASKED"

    forked(work)
