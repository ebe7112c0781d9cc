"""The hub's way out: slirp4netns with a tap device in the hub, routed to, not translated.

slirp4netns takes packets of any source address, and asks by ARP for whom it answers: the hub answers for all of its
containers (proxy_arp). It ends when the last copy of the descriptor `exit_fd` is closed, and tap0 goes with it: that
there is tap0, with the routes by it, is how we know that it runs.

IPv4 alone: libslirp takes the sender of a neighbour advertisement for who was asked about (4.7), and the kernel advertises
a container behind the hub with an address of the hub's own. IPv6 goes by the gate, and what that is not for is
unreachable, at once.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import FAILURES
from rootless.linux import socket
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import delete_link, set_alias
from rootless.linux.netlink.route import RTN_PROHIBIT, new_route
from rootless.network.hub import foundation, host_route, scope, tables, thread
from rootless.network.hub.endpoint import Uplink
from rootless.network.hub.namespace import Locked, lock_path

CIDR, GATEWAY = "198.51.100.0/24", "198.51.100.2"
"""The uplink's own network, which nobody sees: of addresses that are nobody's (RFC 5737, TEST-NET-2), since the host of
such an address could not be reached."""
_VARIABLES = (
    "ipv4/conf/tap0/proxy_arp=1",
    "ipv4/neigh/tap0/proxy_delay=0",  # else the first packet waits for up to 0.8 s
    # What it sends has the right source by construction. The kernel's check of that looks routes up backwards, with the
    # rules of ports, and drops what those would have brought here.
    "ipv4/conf/tap0/accept_local=1",
    "ipv4/conf/tap0/rp_filter=0",
)


def ensure_uplink(hub: int) -> Uplink | None:
    """Start the uplink; None where one runs. For networks that are not internal.

    The caller hands the descriptors to netd. Errors: as slirp4netns's (NotSupported, Unavailable).
    """
    from rootless.network.uplink import program
    from rootless.network.uplink.slirp4netns import start
    from rootless.network.uplink.slirp4netns.options import SlirpOptions

    with Locked(lock_path()):
        if _runs(hub):
            return None
        with Route() as host:
            mtu = host_route.mtu(host)
        options = SlirpOptions(mtu=mtu, cidr=CIDR, allow_host_loopback=False)
        running, warnings = start.start_in_hub(hub, options)
        try:
            _route_by_it(hub)
            pidfd = os.pidfd_open(running.pid)
        except FAILURES:
            program.stop(running)
            raise
    os.close(running.stderr_fd)
    scope.move_out(running.pid, "slirp4netns")
    return Uplink(running.pid, pidfd, running.exit_fd, tuple(warnings))


def _runs(hub: int) -> bool:
    def work() -> bool:
        thread.enter(hub)
        with Route() as route:
            if foundation.is_complete(route, "lo") is None:
                foundation.ensure(route)
            if foundation.is_complete(route, tables.TAP) is not None:
                return True
            # Of one that was killed before this was whole: the slirp4netns that has it need not have ended yet.
            index = foundation.index_of(tables.TAP)
            if index:
                route.send([delete_link(index)], forgiven=(errno.ENODEV,))
            return False

    return thread.run(work, step="look for the uplink")


def _route_by_it(hub: int) -> None:
    def work() -> None:
        thread.enter(hub)
        with Route() as route:
            _set_up(route)

    thread.run(work, step="route by the uplink")


def _set_up(route: Route) -> None:
    """In the thread, in the hub."""
    index = socket.if_nametoindex(tables.TAP)
    for variable in _VARIABLES:
        thread.set_variable(*variable.split("="))
    # Nobody is to reach the uplink's own addresses, behind which slirp4netns has services, and the host's 127.0.0.1 if it
    # is told so.
    requests = [new_route(socket.AF_INET, tables.TABLE_NETWORKS, CIDR, kind=RTN_PROHIBIT)]
    requests.append(new_route(socket.AF_INET, tables.TABLE_WAY_OUT, via=GATEWAY, index=index))
    requests.append(set_alias(index, foundation.COMPLETE.decode()))
    route.send(requests)
