"""What is left in the hub of networks that are no more: of callers that were killed, and of data roots that were removed.

In the thread, in the hub, with the lock.
"""

from __future__ import annotations

import errno

from rootless.linux import socket, struct
from rootless.linux.netlink.address import ADDRESS, IFA_ADDRESS, RTM_GETADDR, packed
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFLA_IFNAME, IFLA_MASTER, LINK, RTM_GETLINK, delete_link
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import (
    FRA_IIFNAME,
    FRA_PRIORITY,
    ROUTE,
    RTA_DST,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTN_PROHIBIT,
    RULE,
    delete_route,
    delete_rules_of,
)
from rootless.network.hub import tables
from rootless.network.hub.endpoint import OtherRoot
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from rootless.network.hub.endpoint import Bridge

_PREFIX = "br-"


class _Link(Record):
    name: str
    master: int  # the bridge that it is a port of


def make_room(route: Route, bridge: Bridge) -> None:
    """Remove what is stale, and bridges without containers whose subnet overlaps with that of `bridge`.

    One with containers is of another data root of the user: Conflict. In one namespace both cannot be.
    """
    links = _links(route)
    for index, address, length in _addresses(route):
        other = links.get(index)
        if other is None or not other.name.startswith(_PREFIX) or other.name == bridge.name:
            continue
        if any(_overlap(subnet, address, length) for subnet in (bridge.subnet4, bridge.subnet6) if subnet):
            if any(each.master == index for each in links.values()):
                raise OtherRoot(
                    "invalid pool request: Pool overlaps with other one on this address space",
                    hint="it is a network of another data root (--root) of yours, and has running containers: choose another --subnet",
                )
            route.send([delete_link(index)], forgiven=(errno.ENODEV,))
    sweep(route)


def sweep(route: Route) -> None:
    """Remove rules and routes of bridges that are not there."""
    links = _links(route)
    names = {link.name for link in links.values()}
    requests = []
    for family in tables.FAMILIES:
        for _, payload in list(route.dump(RTM_GETRULE, RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))):
            if payload[0] != family:
                continue  # without IPv6 the kernel lists everything
            words = dict(attributes(payload[RULE.size :]))
            name = words.get(FRA_IIFNAME, b"").rstrip(b"\0").decode()
            if name.startswith(_PREFIX) and name not in names:
                requests.append(delete_rules_of(family, _number(words[FRA_PRIORITY]), name))
        for _, payload in list(route.dump(RTM_GETROUTE, ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))):
            words = dict(attributes(payload[ROUTE.size :]))
            if payload[0] != family or _number(words.get(RTA_TABLE, bytes(4))) != tables.TABLE_NETWORKS:
                continue
            metric = _number(words.get(RTA_PRIORITY, bytes(4)))
            if not metric or metric in links:
                continue  # a network's has the number of its bridge as its metric
            destination = f"{socket.inet_ntop(family, words[RTA_DST])}/{payload[1]}"
            requests.append(delete_route(family, tables.TABLE_NETWORKS, destination, kind=RTN_PROHIBIT, metric=metric))
    route.send(requests, forgiven=(errno.ENOENT, errno.ESRCH))


def _links(route: Route) -> dict[int, _Link]:
    found = {}
    for _, payload in route.dump(RTM_GETLINK, LINK.pack(0, 0, 0, 0, 0)):
        words = dict(attributes(payload[LINK.size :]))
        name = words[IFLA_IFNAME].rstrip(b"\0").decode(errors="replace")
        found[int(LINK.unpack_from(payload)[2])] = _Link(name, _number(words.get(IFLA_MASTER, bytes(4))))
    return found


def _addresses(route: Route) -> list[tuple[int, bytes, int]]:
    """Link, address and prefix length of what the hub has, but for IPv6's own of each link."""
    found = []
    for _, payload in list(route.dump(RTM_GETADDR, ADDRESS.pack(0, 0, 0, 0, 0))):
        _, length, _, scope, index = ADDRESS.unpack_from(payload)
        if scope == 0:
            found.append((index, dict(attributes(payload[ADDRESS.size :]))[IFA_ADDRESS], length))
    return found


def _overlap(subnet: str, address: bytes, length: int) -> bool:
    base, _, own = subnet.partition("/")
    ours = packed(base)
    if len(ours) != len(address):
        return False
    shift = 8 * len(address) - min(int(own), length)
    return int.from_bytes(ours, "big") >> shift == int.from_bytes(address, "big") >> shift


def _number(data: bytes) -> int:
    return int(struct.unpack("=I", data)[0])
