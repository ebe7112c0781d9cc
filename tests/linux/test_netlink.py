"""rtnetlink in a network namespace of our own, beside what the kernel shows elsewhere."""

from __future__ import annotations

import errno
import socket

import pytest

from rootless.linux.namespace import CLONE_NEWNET, unshare
from rootless.linux.netlink import address as ifaddr
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFF_UP, LINK, RTM_SETLINK
from rootless.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, attribute, attributes
from tests.harness.forked import become_root_of_own_namespace, forked


def addresses(route: Route) -> list[bytes]:
    found = route.dump(ifaddr.RTM_GETADDR, ifaddr.ADDRESS.pack(0, 0, 0, 0, 0))
    return [payload for kind, payload in found if kind == ifaddr.RTM_NEWADDR]


def own_network() -> None:
    become_root_of_own_namespace()
    unshare(CLONE_NEWNET)


def test_a_link_comes_up_and_has_its_addresses() -> None:
    def work() -> None:
        own_network()
        index = socket.if_nametoindex("lo")
        up = LINK.pack(0, 0, index, IFF_UP, IFF_UP)
        with Route() as route:
            assert addresses(route) == []
            route.ask(RTM_SETLINK, up)
            kept = [dict(attributes(each[ifaddr.ADDRESS.size :])) for each in addresses(route)]
        assert socket.inet_aton("127.0.0.1") in [each[1] for each in kept]

    forked(work)


def test_an_address_is_added_once() -> None:
    def work() -> None:
        own_network()
        index = socket.if_nametoindex("lo")
        words = attribute(2, socket.inet_aton("10.1.2.3")) + attribute(1, socket.inet_aton("10.1.2.3"))
        request = ifaddr.ADDRESS.pack(socket.AF_INET, 24, 0, 0, index) + words
        with Route() as route:
            route.ask(ifaddr.RTM_NEWADDR, request, NLM_F_CREATE | NLM_F_EXCL)
            with pytest.raises(OSError) as told:
                route.ask(ifaddr.RTM_NEWADDR, request, NLM_F_CREATE | NLM_F_EXCL)
            assert told.value.errno == errno.EEXIST
            shown = [dict(attributes(each[ifaddr.ADDRESS.size :])) for each in addresses(route)]
        assert [each[1] for each in shown] == [socket.inet_aton("10.1.2.3")]

    forked(work)


def test_a_list_that_the_kernel_refuses_ends() -> None:
    with Route() as route, pytest.raises(OSError, match="Operation not supported"):
        list(route.dump(0x7FF0, ifaddr.ADDRESS.pack(0, 0, 0, 0, 0)))


def test_attributes_are_what_was_packed() -> None:
    words = [(1, b""), (2, b"abc"), (3, b"abcd"), (300, b"x" * 21)]
    packed = b"".join(attribute(kind, value) for kind, value in words)
    assert len(packed) % 4 == 0
    assert list(attributes(packed)) == words
