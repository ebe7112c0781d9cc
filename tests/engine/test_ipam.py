"""Which subnet a network gets and which address a container: tables of cases, held against Python's ipaddress."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from itertools import islice

import pytest

from rootless.engine.networks import addresses, endpoints, ipam, ipam_config, names
from rootless.engine.networks.addresses import Subnet, parse_subnet
from rootless.engine.networks.ipam import Pool
from rootless.errors import InvalidInput


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "10.0.0.0/8", "172.18.0.0/16", "192.168.1.128/25", "10.1.2.3/32", "fd00::/8", "fd12:3456::/64", "::1/128"]
)
def test_a_subnet_is_what_ipaddress_says(text: str) -> None:
    ours, theirs = parse_subnet(text), ipaddress.ip_network(text)
    assert (str(ours), ours.base, ours.last, ours.size) == (
        str(theirs), int(theirs.network_address), int(theirs.broadcast_address), theirs.num_addresses
    )  # fmt: skip
    assert ours.masked() == ours


@pytest.mark.parametrize("text", ["", "10.0.0.0", "10.0.0/24", "10.0.0.0/33", "1.0.0.0/-1", "fd00::/129", "x/8", "10.0.0.0/", "1.0.0.0/ 8"])
def test_what_is_no_subnet(text: str) -> None:
    with pytest.raises(ValueError):
        parse_subnet(text)


def test_overlaps() -> None:
    texts = ["10.0.0.0/8", "10.5.0.0/16", "10.4.0.0/16", "11.0.0.0/8", "0.0.0.0/0", "fd00::/8", "fd00:1::/32"]
    for one in texts:
        for other in texts:
            a, b = ipaddress.ip_network(one), ipaddress.ip_network(other)
            assert parse_subnet(one).overlaps(parse_subnet(other)) is (
                a.version == b.version and (a.subnet_of(b) or b.subnet_of(a))  # type: ignore[arg-type]
            )


@pytest.mark.parametrize(
    ("taken", "next_one"),
    [
        ([], "172.17.0.0/16"),
        (["172.17.0.0/16"], "172.18.0.0/16"),
        (["172.17.0.0/16", "172.18.5.0/24"], "172.19.0.0/16"),
        (["172.16.0.0/12"], "192.168.0.0/20"),
        (["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"], "172.21.0.0/16"),
        (["172.16.0.0/12", "192.168.0.0/24", "192.168.16.1/32"], "192.168.32.0/20"),
        (["172.16.0.0/12", "192.168.0.0/17"], "192.168.128.0/20"),
        (["fd00::/8"], "172.17.0.0/16"),
    ],
)
def test_the_default_pools_in_dockers_order(taken: list[str], next_one: str) -> None:
    assert str(ipam.next_subnet(parse_subnet(text) for text in taken)) == next_one


def test_all_pools_hold_thirty_one_networks() -> None:
    taken: list[Subnet] = []
    for _ in range(15 + 16):
        taken.append(ipam.next_subnet(taken))
    assert len(set(taken)) == 31
    with pytest.raises(InvalidInput, match="all predefined address pools have been fully subnetted"):
        ipam.next_subnet(taken)


def test_a_random_ula() -> None:
    taken: list[Subnet] = []
    for _ in range(50):
        taken.append(ipam.random_subnet6(taken, os.urandom))
    assert len(set(taken)) == 50
    assert all(ipaddress.ip_network(str(subnet)).is_private and subnet.length == 64 for subnet in taken)
    again = iter([b"\1" * 7, b"\1" * 7, b"\2" * 7])
    first = ipam.random_subnet6([], lambda size: next(again))
    assert ipam.random_subnet6([first], lambda size: next(again)) != first, "one that is taken is not given again"


def answer_of(call: Callable[[], object]) -> object:
    """What `call` returns, or the message of its InvalidInput."""
    try:
        return call()
    except InvalidInput as error:
        return error.message


def pool(subnet: str, *, ip_range: str = "", gateway: str = "", **auxiliary: str) -> Pool:
    return {"subnet": subnet, "ip_range": ip_range, "gateway": gateway, "auxiliary": auxiliary}


@pytest.mark.parametrize(
    ("chosen", "first"),
    [
        (pool("10.0.0.0/24", gateway="10.0.0.1"), ["10.0.0.2", "10.0.0.3", "10.0.0.4"]),
        (pool("10.0.0.0/24", gateway="10.0.0.3", a="10.0.0.2"), ["10.0.0.1", "10.0.0.4", "10.0.0.5"]),
        (pool("10.0.0.0/24", ip_range="10.0.0.128/30", gateway="10.0.0.129"), ["10.0.0.128", "10.0.0.130", "10.0.0.131"]),
        (pool("10.0.0.0/24", ip_range="10.0.0.252/30", gateway="10.0.0.1"), ["10.0.0.252", "10.0.0.253", "10.0.0.254"]),
        (pool("10.0.0.0/29", gateway="10.0.0.1"), [f"10.0.0.{last}" for last in range(2, 7)]),
        (pool("10.0.0.0/31", gateway="10.0.0.0"), ["10.0.0.1"]),
        (pool("10.0.0.7/32", gateway="10.0.0.7"), []),
        (pool("fd00::/64", gateway="fd00::1"), ["fd00::2", "fd00::3", "fd00::4"]),
    ],
)
def test_the_addresses_for_containers(chosen: Pool, first: list[str]) -> None:
    assert list(islice(ipam.usable(chosen), len(first))) == first
    if parse_subnet(chosen["subnet"]).size < 16:
        assert list(ipam.usable(chosen)) == first


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("10.0.0.77", "10.0.0.77"),
        ("FD00:0::5", "fd00::5"),
        ("10.0.1.1", "no configured subnet contains IP address 10.0.1.1"),
        ("fd01::5", "no configured subnet contains IP address fd01::5"),
        ("10.0.0.0", "Address already in use"),
        ("10.0.0.255", "Address already in use"),
        ("10.0.0.1", "Address already in use"),
        ("fd00::1", "Address already in use"),
    ],
)
def test_an_address_that_is_asked_for(text: str, answer: str) -> None:
    pools = [pool("10.0.0.0/24", gateway="10.0.0.1"), pool("fd00::/64", gateway="fd00::1")]
    assert answer_of(lambda: ipam.check_static(pools, text)) == answer


ROUTES4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010014AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000014AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00F0FFFF\t0\t0\t0
"""
_NIL = "0" * 32
ROUTES6 = f"""\
fd42{'0' * 28} 40 {_NIL} 00 {_NIL} 00000100 00000001 00000000 00000001     eth0
fe80{'0' * 28} 40 {_NIL} 00 {_NIL} 00000100 00000001 00000000 00000001     eth0
{_NIL} 00 {_NIL} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003     eth0
{'0' * 31}1 80 {_NIL} 00 {_NIL} 00000000 00000002 00000000 80200001       lo
"""


def test_the_hosts_routes() -> None:
    found = {str(subnet) for subnet in ipam.host_routes(ROUTES4, ROUTES6)}
    assert found == {"172.20.0.0/16", "192.168.0.0/20", "fd42::/64"}
    assert ipam.host_routes("", "") == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ({"subnets": ["10.0.0.0/24"]}, [pool("10.0.0.0/24")]),
        ({"subnets": ["10.0.0.0/24", "fd00::/64"], "gateways": ["fd00::9", "10.0.0.9"]},
         [pool("10.0.0.0/24", gateway="10.0.0.9"), pool("fd00::/64", gateway="fd00::9")]),
        ({"subnets": ["10.0.0.0/24"], "ip_ranges": ["10.0.0.128/25"], "auxiliary": [("a", "10.0.0.5")]},
         [pool("10.0.0.0/24", ip_range="10.0.0.128/25", a="10.0.0.5")]),
        ({"subnets": ["10.0.0.1/24"]}, "invalid network config: invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"),
        ({"subnets": ["x"]}, "invalid network config: invalid subnet x: invalid CIDR block notation"),
        ({"subnets": ["10.0.0.0/24", "10.0.0.0/16"]}, "multiple overlapping subnet configuration is not supported"),
        ({"subnets": ["10.0.0.0/24"], "ip_ranges": ["10.0.1.0/25"]},
         "invalid network config: invalid ip-range 10.0.1.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range"),
        ({"subnets": ["10.0.0.0/24"], "ip_ranges": ["10.0.0.0/16"]},
         "invalid network config: invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24"),
        ({"subnets": ["10.0.0.0/24"], "ip_ranges": ["10.0.0.3/25"]},
         "invalid network config: invalid ip-range 10.0.0.3/25: it should be 10.0.0.0/25"),
        ({"subnets": ["10.0.0.0/24"], "ip_ranges": ["fd00::/64"]},
         "invalid network config: invalid ip-range fd00::/64: parent subnet 10.0.0.0/24 is an IPv4 block"),
        ({"subnets": ["10.0.0.0/24", "10.1.0.0/24"], "ip_ranges": ["10.0.0.0/25", "10.0.0.128/25"]},
         "cannot configure multiple ranges (10.0.0.128/25, 10.0.0.0/25) on the same subnet (10.0.0.0/24)"),
        ({"gateways": ["10.0.0.1"]}, "every ip-range or gateway must have a corresponding subnet"),
        ({"ip_ranges": ["10.0.0.0/25"]}, "every ip-range or gateway must have a corresponding subnet"),
        ({"subnets": ["10.0.0.0/24"], "gateways": ["10.0.1.1"]}, "no matching subnet for gateway 10.0.1.1"),
        ({"subnets": ["10.0.0.0/24"], "gateways": ["x"]}, "invalid network config: invalid gateway x: invalid address"),
        ({"subnets": ["10.0.0.0/24", "10.1.0.0/24"], "gateways": ["10.0.0.1", "10.0.0.2"]},
         "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/24)"),
        ({"subnets": ["10.0.0.0/24"], "gateways": ["10.0.0.255"]},
         "invalid network config: invalid gateway 10.0.0.255: it is the address of the whole subnet 10.0.0.0/24"),
        ({"subnets": ["10.0.0.0/24"], "auxiliary": [("a", "10.9.0.5")]}, "no matching subnet for aux-address 10.9.0.5"),
    ],
)  # fmt: skip
def test_the_words_of_a_user_as_pools(words: dict[str, list[str]], answer: object) -> None:
    asked = {"subnets": [], "ip_ranges": [], "gateways": [], "auxiliary": [], **words}
    assert answer_of(lambda: ipam_config.pools(**asked)) == answer  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reserved"),
    [
        ("127.0.0.0/16", "127.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/8"), ("239.0.0.0/8", "224.0.0.0/3"), ("fe80::/64", "fe80::/10"),
        ("198.51.0.0/16", "198.51.100.0/24"), ("::/0", "::/96"), ("ff05::/64", "ff00::/8"), ("::ffff:10.0.0.0/104", "::ffff:0:0/96"),
    ],
)  # fmt: skip
def test_a_subnet_that_no_container_can_have(text: str, reserved: str) -> None:
    said = answer_of(lambda: ipam_config.pools([text], [], [], []))
    assert said == f"invalid network config: invalid subnet {text}: no container can have addresses of {reserved}"


@pytest.mark.parametrize("word", ["db", "DB-1", "a.b.c", "_srv", "x" * 63, "web."])
def test_an_alias(word: str) -> None:
    assert names.check_alias(word) == word.rstrip("."), "no question has the last dot"


@pytest.mark.parametrize("word", ["", " ", "a b", "a\tb", "a\nb", "a..b", ".", ".a", "x" * 64, "é", "a/b", "a\0", "x." * 127 + "x"])
def test_what_is_no_alias(word: str) -> None:
    with pytest.raises(InvalidInput, match="invalid network alias"):
        names.check_alias(word)


def test_a_hardware_address_is_made_of_the_address() -> None:
    assert endpoints.mac_of("172.17.0.2", "fd00::2") == "02:42:ac:11:00:02"
    assert endpoints.mac_of("", "fd00::2") == "06:00:00:00:00:02"
    assert endpoints.mac_of("", "fd00::ff00:0:0:2") == "06:00:00:ff:00:02"


def test_natural_order() -> None:
    listed = ["web10", "web2", "10", "9", "a", "web", "web2b"]
    assert sorted(listed, key=names.natural) == ["9", "10", "a", "web", "web2", "web2b", "web10"]


def test_an_address_as_the_kernel_writes_it() -> None:
    assert addresses.canonical("FD00:0:0::5") == "fd00::5"
    with pytest.raises(ValueError):
        addresses.canonical("10.0.0")
