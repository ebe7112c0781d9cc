"""Links: bridges, pairs of virtual Ethernet devices, ports of bridges. linux/if_link.h."""

from __future__ import annotations

from rootless.linux import struct
from rootless.linux.netlink.message import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    attribute,
    byte,
    message,
    nested,
    number,
    text,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_IFALIAS, IFLA_NET_NS_FD, IFLA_LINK_NETNSID = 20, 28, 37
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_ISOLATED = 33
VETH_INFO_PEER = 1
IFF_UP = 1
LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change


def _up(index: int = 0) -> bytes:
    return LINK.pack(0, 0, index, IFF_UP, IFF_UP)


def mac_bytes(mac: str) -> bytes:
    """ "02:42:ac:12:00:02" as the kernel has it; ValueError."""
    return bytes.fromhex(mac.replace(":", ""))


def new_bridge(name: str, *, mac: str) -> bytes:
    """A bridge that is up. With an address of its own it keeps that when ports come and go."""
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
    words = text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, mac_bytes(mac))
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, _up() + words + info)


def set_mtu(index: int, mtu: int) -> bytes:
    """Of a bridge: from now on it keeps that, which it does not if it was made with it."""
    return message(RTM_SETLINK, 0, LINK.pack(0, 0, index, 0, 0) + number(IFLA_MTU, mtu))


def new_veth(name: str, *, master: int, mtu: int, peer: str, peer_mac: str, peer_namespace: int) -> bytes:
    """A pair: `name` ("veth%d": the kernel's choice) as a port of the bridge `master`, and `peer` made at once in the network
    namespace of that descriptor. The first is up; the kernel lets no half of a pair be that."""
    there = text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, mac_bytes(peer_mac)) + number(IFLA_MTU, mtu)
    there += number(IFLA_NET_NS_FD, peer_namespace)
    data = nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, LINK.pack(0, 0, 0, 0, 0) + there))
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), data)
    words = text(IFLA_IFNAME, name) + number(IFLA_MTU, mtu) + number(IFLA_MASTER, master)
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, _up() + words + info)


def set_isolated(index: int) -> bytes:
    """Let a bridge's port reach the bridge and ports that are not isolated, and no other."""
    data = nested(IFLA_INFO_SLAVE_DATA, byte(IFLA_BRPORT_ISOLATED, 1))
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_SLAVE_KIND, "bridge"), data)
    return message(RTM_NEWLINK, 0, LINK.pack(0, 0, index, 0, 0) + info)


def set_up(index: int) -> bytes:
    """Bring a link up."""
    return message(RTM_SETLINK, 0, _up(index))


def set_alias(index: int, alias: str) -> bytes:
    """Give a link a text of ours, which get() shows."""
    return message(RTM_SETLINK, 0, LINK.pack(0, 0, index, 0, 0) + attribute(IFLA_IFALIAS, alias.encode()))


def delete_link(index: int) -> bytes:
    """Remove a link, with what it is the other end of."""
    return message(RTM_DELLINK, 0, LINK.pack(0, 0, index, 0, 0))


def get_link(name: str) -> bytes:
    """The payload of an RTM_GETLINK for one link, by name."""
    return LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name)
