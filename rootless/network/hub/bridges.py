"""Bridges in the hub: one for each network, with its routing."""

from __future__ import annotations

import errno
import os

from rootless.errors import NotSupported, RootlessError
from rootless.linux import socket, struct
from rootless.linux.netlink.address import new_address
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import (
    IFLA_IFALIAS,
    IFLA_MTU,
    LINK,
    RTM_GETLINK,
    delete_link,
    get_link,
    new_bridge,
    set_alias,
    set_mtu,
)
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import (
    RTN_LOCAL,
    RTN_PROHIBIT,
    RTN_UNICAST,
    new_route,
    new_rule,
)
from rootless.network.hub import foundation, tables, thread
from rootless.network.hub.namespace import Locked, lock_path
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from rootless.network.hub.endpoint import Bridge


class BridgeLink(Record):
    """A bridge that is whole."""

    ifindex: int
    mtu: int
    gate: int  # the device that its outgoing TCP is sent to; 0: none


def ensure(route: Route, host: Route, bridge: Bridge, lock: str) -> BridgeLink:
    """Make the network's bridge, with its addresses and rules, where something of it is missing. In the thread, in the hub.

    route: a socket in the hub; host: one in the host's network namespace.
    """
    found = foundation.is_complete(route, bridge.name)
    if found is None:
        with Locked(lock):
            if foundation.is_complete(route, "lo") is None:
                foundation.ensure(route)
            from rootless.network.hub import host_route

            _make(route, bridge, bridge.mtu or host_route.mtu(host))
        found = route.get(RTM_GETLINK, get_link(bridge.name))
    words = dict(attributes(found[LINK.size :]))
    (mtu,) = struct.unpack("=I", words[IFLA_MTU])
    return BridgeLink(LINK.unpack_from(found)[2], mtu, foundation.gate_of(words[IFLA_IFALIAS]))


def _make(route: Route, bridge: Bridge, mtu: int) -> None:
    if foundation.is_complete(route, bridge.name) is not None:
        return  # another caller was faster
    from rootless.network.hub import stale

    stale.make_room(route, bridge)
    name = bridge.name
    mac = "02:42:" + ":".join(f"{byte:02x}" for byte in os.urandom(4))
    try:
        route.send([new_bridge(name, mac=mac)], forgiven=(errno.EEXIST,))
    except OSError as error:
        raise unsupported("a bridge", error) from error
    index = socket.if_nametoindex(name)
    thread.set_variable(f"ipv4/conf/{name}/rp_filter", "1")  # a source that is not of this network is dropped
    if foundation.has_ipv6():
        thread.set_variable(f"ipv6/conf/{name}/disable_ipv6", "0" if bridge.subnet6 else "1")
    requests = [set_mtu(index, mtu)]
    for family, subnet, gateway in _families(bridge):
        length = int(subnet.partition("/")[2])
        requests.append(new_address(index, gateway, length))
        # Neighbours are no business of routing. Where they may not reach each other, not by way of the gateway either.
        kind, link = (RTN_UNICAST, index) if bridge.icc else (RTN_PROHIBIT, 0)
        requests.append(new_route(family, tables.table_of(index), subnet, kind=kind, index=link))
        requests.append(new_route(family, tables.table_of(index), gateway, kind=RTN_LOCAL, index=index))
        requests.append(new_route(family, tables.TABLE_NETWORKS, subnet, kind=RTN_PROHIBIT, metric=index))
    requests += [new_rule(rule) for rule in tables.of_bridge(bridge, index)]
    requests.append(set_alias(index, foundation.COMPLETE.decode()))
    route.send(requests, forgiven=(errno.EEXIST,))


def _families(bridge: Bridge) -> list[tuple[int, str, str]]:
    both = ((socket.AF_INET, bridge.subnet4, bridge.gateway4), (socket.AF_INET6, bridge.subnet6, bridge.gateway6))
    return [(family, subnet, gateway) for family, subnet, gateway in both if subnet]


def unsupported(what: str, error: OSError) -> RootlessError:
    """The error for a part of the network that the kernel refuses to make."""
    if error.errno in (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODEV):
        return NotSupported(
            f"no network: this host does not let you make {what}: {error.strerror}",
            hint="`rootless doctor` says what is missing; --network slirp4netns and host need none of it",
        )
    return RootlessError(f"cannot make {what}: {error.strerror}")


def remove_bridge(hub: int, bridge: Bridge) -> None:
    """Remove a network's bridge, rules and routes from the hub; nothing where there are none. It has no containers."""
    from rootless.network.hub import stale

    lock = lock_path()

    def work() -> None:
        thread.enter(hub)
        with Locked(lock), Route() as route:
            index = foundation.index_of(bridge.name)
            if index:
                # The link first: without it nothing of the network can be used, and its routes go with it.
                route.send([delete_link(index)], forgiven=(errno.ENODEV,))
            stale.sweep(route)

    thread.run(work, step=f"remove the network {bridge.id[:12]}")
