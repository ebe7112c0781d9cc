"""Containers put on networks, and taken off.

Called by the supervisor, or by a command that has joined the session: the work is done by a thread, which enters the hub
and the container's namespace; the caller has no other ones. Every call is idempotent: it makes what is missing. Two at
once wait for each other (a lock in RUNTIME), but only where they make a bridge.
"""

from __future__ import annotations

import errno

from rootless.errors import Conflict
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import delete_link, new_veth, set_isolated
from rootless.network.hub import bridges, container, foundation, tables, thread
from rootless.network.hub.endpoint import Attached
from rootless.network.hub.namespace import lock_path
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.bridges import BridgeLink
    from rootless.network.hub.endpoint import Endpoint


def attach(hub: int, network: int, endpoints: Sequence[Endpoint], *, first: bool) -> Attached:
    """Put the container's network namespace `network` on networks, whose bridges and rules are made where they are missing.

    first: at its start: `lo` up, and the resolver's sockets made.
    Errors: NotSupported (the host's kernel lacks a part), Conflict (a link's name is taken), RootlessError.
    """
    lock = lock_path()

    def work() -> Attached:
        with Route() as host, _in_hub(hub) as route:
            links = [bridges.ensure(route, host, endpoint.bridge, lock) for endpoint in endpoints]
            uplink = foundation.is_complete(route, tables.TAP) is not None
            gate = foundation.index_of(tables.GATE)
            open_links = [link for link, endpoint in zip(links, endpoints, strict=True) if not endpoint.bridge.internal]
            thread.enter(network)
            with Route() as inside:
                udp, tcp = container.begin(inside) if first else (-1, -1)
                for endpoint, link in zip(endpoints, links, strict=True):
                    _connect(route, inside, network, endpoint, link)
                container.set_routes(inside, endpoints)
        return Attached(udp, tcp, uplink=uplink, gate=bool(gate and open_links) and all(link.gate == gate for link in open_links))

    return thread.run(work, step="connect the container with its networks")


def _in_hub(hub: int) -> Route:
    """A socket in the hub, where the thread is from now on."""
    thread.enter(hub)
    return Route()


def _connect(route: Route, inside: Route, network: int, endpoint: Endpoint, link: BridgeLink) -> None:
    """The pair of links, where there is none yet. In the thread, in the container's namespace."""
    there = foundation.link_number(route, endpoint.link)
    present = container.find(inside, endpoint, there)
    if present is None:
        if there:  # the container has given its end another name or address
            route.send([delete_link(there)], forgiven=(errno.ENODEV,))
        request = new_veth(
            endpoint.link, master=link.ifindex, mtu=link.mtu, peer=endpoint.interface, peer_mac=endpoint.mac, peer_namespace=network
        )
        try:
            route.send([request])
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise Conflict(f"the container has an interface {endpoint.interface} already") from error
            raise bridges.unsupported("a pair of virtual Ethernet devices", error) from error
        present = container.find(inside, endpoint, foundation.link_number(route, endpoint.link))
        if present is None:
            raise Conflict(f"the container has renamed or moved its interface {endpoint.interface} at once")
    if not endpoint.bridge.icc:
        route.send([set_isolated(present.peer)])
    container.configure(inside, endpoint, present.ifindex)


def detach(hub: int, endpoint: Endpoint) -> None:
    """Take the container off a network; nothing where it is not on it. Its default routes by it end with it."""

    def work() -> None:
        thread.enter(hub)
        with Route() as route:
            # By the end that is ours: a container that may change its links may have renamed the other one, or moved it.
            there = foundation.link_number(route, endpoint.link)
            if there:
                route.send([delete_link(there)], forgiven=(errno.ENODEV,))

    thread.run(work, step=f"disconnect the container from the network {endpoint.bridge.id[:12]}")


def set_default(network: int, endpoint4: Endpoint | None, endpoint6: Endpoint | None) -> None:
    """Make the container's default routes go by these endpoints; None: no default route of that family."""

    def work() -> None:
        thread.enter(network)
        with Route() as inside:
            container.set_default(inside, endpoint4, endpoint6)

    thread.run(work, step="change the container's default route")
