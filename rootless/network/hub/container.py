"""The container's side of its networks: links, addresses, routes, kernel variables. In the thread, in its namespace."""

from __future__ import annotations

import errno

from rootless.errors import Conflict
from rootless.linux import socket, struct
from rootless.linux.netlink.address import new_address
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import (
    IFLA_ADDRESS,
    IFLA_LINK,
    LINK,
    RTM_GETLINK,
    get_link,
    mac_bytes,
    set_up,
)
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import (
    ROUTE,
    RT_TABLE_MAIN,
    RTA_OIF,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTN_UNICAST,
    delete_route,
    new_route,
)
from rootless.network.hub import foundation, tables
from rootless.network.hub.thread import set_variable
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.endpoint import Endpoint

RESOLVER = ("127.0.0.11", 53)
_LOOPBACK = 1
_BACKLOG = 64


class ContainerLink(Record):
    """An interface of the container: its number, and that of its other end in the hub."""

    ifindex: int
    peer: int


def begin(inside: Route) -> tuple[int, int]:
    """At the start: `lo` up; the resolver's sockets, UDP and TCP, the caller's."""
    inside.send([set_up(_LOOPBACK)])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    # So that a name server of the container's own, which listens on all addresses, can start.
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(RESOLVER)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(RESOLVER)
    tcp.listen(_BACKLOG)
    return udp.detach(), tcp.detach()


def find(inside: Route, endpoint: Endpoint, there: int) -> ContainerLink | None:
    """The endpoint's interface, if it is there; Conflict where another one has its name. there: the number of its other end
    in the hub, 0: there is none. A link that the container has made and called so is another."""
    try:
        found = inside.get(RTM_GETLINK, get_link(endpoint.interface))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    words = dict(attributes(found[LINK.size :]))
    (peer,) = struct.unpack("=I", words.get(IFLA_LINK, bytes(4)))
    if words.get(IFLA_ADDRESS) != mac_bytes(endpoint.mac) or peer != there:
        raise Conflict(f"the container has another interface {endpoint.interface} already")
    return ContainerLink(LINK.unpack_from(found)[2], peer)


def configure(inside: Route, endpoint: Endpoint, index: int) -> None:
    """Its kernel variables and addresses."""
    name = endpoint.interface
    if foundation.has_ipv6():
        variables = ["accept_ra=0", "accept_dad=0", "disable_ipv6=0"] if endpoint.address6 else ["disable_ipv6=1"]
        for variable in variables:
            key, _, value = variable.partition("=")
            set_variable(f"ipv6/conf/{name}/{key}", value)
    set_variable(f"ipv4/conf/{name}/arp_notify", "1")
    both = ((endpoint.address4, endpoint.bridge.subnet4), (endpoint.address6, endpoint.bridge.subnet6))
    requests = [new_address(index, address, int(subnet.partition("/")[2])) for address, subnet in both if address]
    inside.send([*requests, set_up(index)], forgiven=(errno.EEXIST,))


def set_routes(inside: Route, endpoints: Sequence[Endpoint]) -> None:
    """The default routes that go by one of the endpoints; others stay."""
    for endpoint in endpoints:
        if endpoint.default4 and endpoint.bridge.gateway4:
            _default(inside, socket.AF_INET, endpoint.bridge.gateway4, endpoint.interface)
        if endpoint.default6 and endpoint.bridge.gateway6:
            _default(inside, socket.AF_INET6, endpoint.bridge.gateway6, endpoint.interface)


def set_default(inside: Route, endpoint4: Endpoint | None, endpoint6: Endpoint | None) -> None:
    """As attach.set_default()."""
    for family, endpoint in zip(tables.FAMILIES, (endpoint4, endpoint6), strict=True):
        gateway = "" if endpoint is None else endpoint.bridge.gateway4 if family == socket.AF_INET else endpoint.bridge.gateway6
        if endpoint is not None and gateway:
            _default(inside, family, gateway, endpoint.interface)
        else:
            _no_default(inside, family)


def _default(inside: Route, family: int, gateway: str, interface: str) -> None:
    """Make it the only one; without a gap where it is there."""
    index = socket.if_nametoindex(interface)
    # With the same destination and metric this one replaces what is first, of whatever link that is.
    inside.send([new_route(family, RT_TABLE_MAIN, via=gateway, index=index)])
    for found in _defaults(inside, family):
        if found != index:
            inside.send([delete_route(family, RT_TABLE_MAIN, index=found)], forgiven=(errno.ESRCH,))


def _no_default(inside: Route, family: int) -> None:
    for found in _defaults(inside, family):
        inside.send([delete_route(family, RT_TABLE_MAIN, index=found)], forgiven=(errno.ESRCH,))


def _defaults(inside: Route, family: int) -> list[int]:
    """The links that default routes go by."""
    found = []
    for kind, payload in list(inside.dump(RTM_GETROUTE, ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))):
        _, length, _, _, table, _, _, route_type, _ = ROUTE.unpack_from(payload)
        words = dict(attributes(payload[ROUTE.size :]))
        if (kind, length, table, route_type) == (RTM_NEWROUTE, 0, RT_TABLE_MAIN, RTN_UNICAST) and RTA_OIF in words:
            found.append(struct.unpack("=I", words[RTA_OIF])[0])
    return found
