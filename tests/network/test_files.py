"""resolv.conf, hosts, hostname and the options of slirp4netns: text in, text out."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.network.etc import hosts
from rootless.network.etc.resolv import resolv_conf
from rootless.network.uplink.slirp4netns import options

STUB = "# systemd-resolved\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example lan\n"
REAL = "nameserver 10.9.9.9\nnameserver 10.9.9.8\n; old\ndomain corp.example\n"


def test_a_stub_resolver_is_asked_through_slirp() -> None:
    assert resolv_conf("slirp4netns", host_text=STUB, forwarder="10.0.2.3") == (
        "search corp.example lan\nnameserver 10.0.2.3\noptions edns0 trust-ad\n"
    )


def test_the_hosts_other_servers_follow_the_forwarder() -> None:
    assert resolv_conf("slirp4netns", host_text=REAL, forwarder="10.0.2.3") == (
        "search corp.example\nnameserver 10.0.2.3\nnameserver 10.9.9.8\n"
    )


def test_no_public_server_is_ever_added() -> None:
    assert resolv_conf("none", host_text=STUB) == "search corp.example lan\noptions edns0 trust-ad\n"
    assert resolv_conf("slirp4netns", host_text="", forwarder="10.0.2.3") == "nameserver 10.0.2.3\n"


def test_what_was_asked_for_replaces_the_hosts() -> None:
    text = resolv_conf(
        "slirp4netns",
        host_text=STUB,
        dns=["1.2.3.4", "0:0::1"],
        search=["."],
        options=["ndots:2"],
        forwarder="10.0.2.3",
    )
    assert text == "nameserver 1.2.3.4\nnameserver ::1\noptions ndots:2\n"
    with pytest.raises(InvalidInput, match=r"dns\.example is not an ip address"):
        resolv_conf("slirp4netns", host_text="", dns=["dns.example"])


def test_the_hosts_network_has_the_hosts_file() -> None:
    assert resolv_conf("host", host_text=STUB) == STUB
    asked = resolv_conf("host", host_text=STUB, search=["a.example"])
    assert asked == "search a.example\nnameserver 127.0.0.53\noptions edns0 trust-ad\n"


@given(st.text(max_size=200))
def test_any_host_file_gives_lines(text: str) -> None:
    for line in resolv_conf("slirp4netns", host_text=text, forwarder="10.0.2.3").splitlines():
        assert line.split()[0] in ("search", "nameserver", "options")


def test_hosts_of_a_connected_container() -> None:
    text = hosts.hosts_file(
        "slirp4netns",
        hostname="web",
        domainname="example",
        name="site",
        addresses=["10.0.2.100"],
        extra_hosts=["db:10.1.1.1", "six=::1", "up:host-gateway"],
        gateway="192.168.7.7",
    )
    assert text.splitlines() == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "ff00::\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
        "10.1.1.1\tdb",
        "::1\tsix",
        "192.168.7.7\tup",
        "192.168.7.7\thost.docker.internal",
        "192.168.7.7\thost.containers.internal",
        "10.0.2.100\tweb.example web site",
    ]


def test_hosts_of_a_container_on_networks() -> None:
    text = hosts.hosts_file("app", hostname="web", name="site", addresses=["172.18.0.2", "fd00::2"])
    assert text.endswith("ff02::2\tip6-allrouters\n172.18.0.2\tweb site\nfd00::2\tweb site\n")
    assert hosts.hosts_file("app", hostname="web", addresses=()).endswith("ip6-allrouters\n")


def test_resolv_conf_of_a_container_on_networks() -> None:
    text = "nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch corp.example\noptions edns0\n"
    ours = "search corp.example\nnameserver 127.0.0.11\noptions edns0 ndots:0\n"
    assert resolv_conf("app", host_text=text, resolver="127.0.0.11") == ours
    assert resolv_conf("app", host_text=text, resolver="127.0.0.11", dns=["1.1.1.1"]) == ours, "netd asks them"
    assert resolv_conf("app", host_text="options ndots:2\n", resolver="127.0.0.11") == "nameserver 127.0.0.11\noptions ndots:2\n"
    asked = resolv_conf("app", host_text=text, resolver="127.0.0.11", search=["."], options=["ndots:5", "rotate"])
    assert asked == "nameserver 127.0.0.11\noptions ndots:5 rotate\n"


def test_hosts_without_a_network_and_with_the_hosts() -> None:
    assert hosts.hosts_file("none", hostname="web").endswith("127.0.0.1\tweb\n")
    text = hosts.hosts_file("host", hostname="web", host_text="127.0.0.1 here", extra_hosts=["db:10.1.1.1"])
    assert text == "127.0.0.1 here\n10.1.1.1\tdb\n"


def test_an_extra_host_may_be_the_hosts_alias() -> None:
    text = hosts.hosts_file(
        "slirp4netns", hostname="w", extra_hosts=["host.docker.internal:10.1.1.1"], gateway="10.2.2.2"
    )
    assert "10.1.1.1\thost.docker.internal\n" in text
    assert "10.2.2.2\thost.docker.internal\n" not in text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("db", 'bad format for add-host: "db"'),
        (":1.2.3.4", 'bad format for add-host: ":1.2.3.4"'),
        ("a b:1.2.3.4", 'bad format for add-host: "a b:1.2.3.4"'),
        ("db:1.2.3", 'invalid IP address in add-host: "1.2.3"'),
        ("db:host-gateway", "unable to derive the IP value for host-gateway"),
    ],
)
def test_bad_extra_hosts(word: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        hosts.parse_extra_host(word)
    assert str(caught.value) == message


def test_host_address_is_one_of_ours_or_none() -> None:
    address = hosts.host_address()
    if address is not None:
        with socket.socket() as probe:
            probe.bind((address, 0))
    assert hosts.gateway_for("host") == "127.0.0.1"
    assert hosts.gateway_for("none") is None
    assert hosts.gateway_for("slirp4netns", allow_host_loopback=True, gateway="10.0.2.2") == "10.0.2.2"


def test_options() -> None:
    assert options.parse("slirp4netns") == options.SlirpOptions()
    parsed = options.parse("slirp4netns:mtu=1500,cidr=10.44.0.0/16,allow_host_loopback=true,enable_ipv6=true")
    assert parsed == options.SlirpOptions(1500, "10.44.0.0/16", True, True)
    assert parsed.addresses() == ("10.44.0.2", "10.44.0.3", "10.44.0.100", 16)
    assert options.parse("slirp4netns:port_handler=slirp4netns") == options.SlirpOptions()
    with pytest.raises(NotSupported, match="port_handler"):
        options.parse("slirp4netns:port_handler=rootlesskit")


@pytest.mark.parametrize(
    "text", ["mtu", "mtu=x", "mtu=1", "mtu=99999", "cidr=10.0.2.0", "cidr=10.0.2.1/24", "cidr=10.0.2.0/26",
             "cidr=::/64", "enable_ipv6=yes", "speed=9"]
)  # fmt: skip
def test_bad_options(text: str) -> None:
    with pytest.raises(InvalidInput):
        options.parse("slirp4netns:" + text)


@given(st.text(alphabet="mtucidr=,./0123456789:", max_size=30))
def test_options_never_break(text: str) -> None:
    try:
        options.parse("slirp4netns:" + text).addresses()
    except RootlessError:
        pass
