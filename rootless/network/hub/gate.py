"""The kernel's side of the gate: outgoing connections of containers, shown to netd before the kernel answers them.

The first packet of a connection is redirected, where it leaves its bridge, to the tun device gate0, which netd has
made and reads. What netd lets pass it writes back, and then everything of TCP that containers send is local: a listener
of netd's takes it. docs/networks.md
"""

from __future__ import annotations

import errno

from rootless.linux import socket
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFLA_IFALIAS, LINK, set_alias
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import delete_rules_of, new_rule
from rootless.linux.netlink.traffic import (
    ETH_P_IP,
    ETH_P_IPV6,
    SOURCE4,
    SOURCE6,
    TCP_SYN4,
    TCP_SYN6,
    delete_ingress,
    new_ingress,
    new_redirect,
    words_of,
)
from rootless.network.hub import foundation, tables, thread
from rootless.network.hub.namespace import Locked, lock_path
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.endpoint import Bridge

_VARIABLES = ("ipv4/conf/gate0/accept_local=1", "ipv4/conf/gate0/rp_filter=0")
"""netd writes packets of containers to it, whose way back is another: their source is not checked there."""
_VARIABLES6 = ("ipv6/conf/gate0/accept_ra=0", "ipv6/conf/gate0/disable_ipv6=0")
# What the kernel says where it has no ingress, u32 or mirred.
_LACKING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.EPERM)


def ensure_gate(hub: int, bridges: Sequence[Bridge]) -> bool:
    """Send the bridges' outgoing TCP to gate0, which netd has made; whether this kernel can do so. Idempotent.

    False: its traffic control lacks a part, nothing is changed, and TCP goes by the uplink. After attach(), before
    the containers are let go; nothing for internal networks, and for a bridge that is not there.
    """
    lock = lock_path()

    def work() -> bool:
        thread.enter(hub)
        with Route() as route:
            gate = foundation.index_of(tables.GATE)
            wanted = [] if not gate else [each for each in bridges if not each.internal and not _is_done(route, each, gate)]
            if wanted:
                with Locked(lock):
                    return all(_redirect(route, each, gate) for each in wanted)
            return bool(gate)

    return thread.run(work, step="send outgoing connections to the gate")


def remove_gate(hub: int, bridges: Sequence[Bridge]) -> None:
    """Let the bridges' outgoing TCP go by the uplink again. Idempotent."""
    lock = lock_path()

    def work() -> None:
        thread.enter(hub)
        with Locked(lock), Route() as route:
            for bridge in bridges:
                _leave(route, bridge, foundation.index_of(bridge.name))

    thread.run(work, step="take outgoing connections off the gate")


def lacking(hub: int, bridge: Bridge) -> str:
    """What this kernel says to a redirection as the gate needs it, "" where it makes one; for a bridge that has no gate."""

    def work() -> str:
        thread.enter(hub)
        with Route() as route:
            index = foundation.index_of(bridge.name)
            try:
                route.send([new_ingress(index)])
                for protocol, priority, keys in _filters(bridge):
                    route.send([new_redirect(index, protocol, priority, keys, foundation.LOOPBACK)])
            except OSError as error:
                return error.strerror or str(error)
            finally:
                route.send([delete_ingress(index)], forgiven=_LACKING)
        return ""

    return thread.run(work, step="redirect packets of a bridge")


def _filters(bridge: Bridge) -> list[tuple[int, int, Sequence[tuple[int, int, int]]]]:
    """Protocol, priority and keys of each family that the network has. With a source address of the network: the gate counts
    a connection as that container's, whatever network it is on."""
    both = ((bridge.subnet4, ETH_P_IP, 1, TCP_SYN4, SOURCE4), (bridge.subnet6, ETH_P_IPV6, 2, TCP_SYN6, SOURCE6))
    return [
        (protocol, priority, (*keys, *words_of(subnet, offset)))
        for subnet, protocol, priority, keys, offset in both if subnet
    ]  # fmt: skip


def _is_done(route: Route, bridge: Bridge, gate: int) -> bool:
    found = foundation.is_complete(route, bridge.name)
    if found is None:
        return True  # no container is on it
    return foundation.gate_of(dict(attributes(found[LINK.size :])).get(IFLA_IFALIAS, b"")) == gate


def _redirect(route: Route, bridge: Bridge, gate: int) -> bool:
    index = foundation.index_of(bridge.name)
    for variable in _VARIABLES + (_VARIABLES6 if foundation.has_ipv6() else ()):
        thread.set_variable(*variable.split("="))
    try:
        route.send([delete_ingress(index)], forgiven=_LACKING)  # of a gate before
        route.send([new_ingress(index)])
        for protocol, priority, keys in _filters(bridge):
            route.send([new_redirect(index, protocol, priority, keys, gate)])
    except OSError as error:
        if error.errno not in _LACKING:
            raise
        _leave(route, bridge, index)
        return False
    # Last, or connections would be answered that nobody has seen.
    route.send([*map(new_rule, tables.of_gate(bridge)), set_alias(index, foundation.gate_mark(gate).decode())], forgiven=(errno.EEXIST,))
    return True


def _leave(route: Route, bridge: Bridge, index: int) -> None:
    """The rules first: nothing is to be local that is not shown to the gate."""
    families = [socket.AF_INET, *([socket.AF_INET6] if foundation.has_ipv6() else [])]
    requests = [delete_rules_of(family, tables.GATE_RULE, bridge.name) for family in families]
    if index:
        requests += [delete_ingress(index), set_alias(index, foundation.COMPLETE.decode())]
    route.send(requests, forgiven=_LACKING)
