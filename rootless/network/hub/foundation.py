"""What the hub has once, whatever networks there are: its rules and kernel variables. In the thread, in the hub."""

from __future__ import annotations

import errno

from rootless.errors import NotSupported
from rootless.linux import socket
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFLA_IFALIAS, LINK, RTM_GETLINK, get_link, set_alias, set_up
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import (
    RT_TABLE_LOCAL,
    RTN_LOCAL,
    RTN_UNREACHABLE,
    Rule,
    delete_rule,
    new_route,
    new_rule,
)
from rootless.network.hub import tables
from rootless.network.hub.thread import set_variable

COMPLETE = b"rootless 1"
"""The alias of a link of ours when nothing is missing any more: a caller may be killed at any instant."""
LOOPBACK = 1
DONE_ALREADY = (errno.EEXIST, errno.ENOENT, errno.ESRCH)

_VARIABLES = (
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),  # the larger one of this and the link's goes
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/icmp_ratelimit", "0"),  # a container that asks for what it may not have is told so each time
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
)
_VARIABLES6 = (
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv6/conf/all/accept_redirects", "0"),
    ("ipv6/conf/default/accept_redirects", "0"),
    ("ipv6/conf/default/disable_ipv6", "1"),  # but for the bridges of networks that have it
)


def is_complete(route: Route, name: str) -> bytes | None:
    """The description of a link of the hub that is whole; None where it is missing or not."""
    try:
        found = route.get(RTM_GETLINK, get_link(name))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    words = dict(attributes(found[LINK.size :]))
    return found if words.get(IFLA_IFALIAS, b"").startswith(COMPLETE) else None


def gate_mark(gate: int) -> bytes:
    """The alias of a bridge whose outgoing TCP goes to the device of that number: it may be another one by now."""
    return COMPLETE + b" gate %d" % gate


def gate_of(alias: bytes) -> int:
    """The device that `gate_mark` has named; 0: none."""
    number = alias.rstrip(b"\0").removeprefix(COMPLETE + b" gate ")
    return int(number) if number.isdigit() else 0


def index_of(name: str) -> int:
    """A link's number in the namespace that the thread is in; 0: there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def link_number(route: Route, name: str) -> int:
    """The same, in the namespace of `route`."""
    try:
        return int(LINK.unpack_from(route.get(RTM_GETLINK, get_link(name)))[2])
    except OSError as error:
        if error.errno == errno.ENODEV:
            return 0
        raise


def ensure(route: Route) -> None:
    """Make the hub ready for networks. Idempotent; the caller has the lock, where it is not ready."""
    for path, value in _VARIABLES:
        _set(path, value)
    families = tables.FAMILIES if has_ipv6() else tables.FAMILIES[:1]
    if has_ipv6():
        for path, value in _VARIABLES6:
            _set(path, value)
    requests = [set_up(LOOPBACK)]
    for family in families:
        requests.append(new_route(family, tables.TABLE_LOCAL_ALL, kind=RTN_LOCAL, index=LOOPBACK))
        # Behind a way out that may come: without one, it is said so at once.
        requests.append(new_route(family, tables.TABLE_WAY_OUT, kind=RTN_UNREACHABLE, metric=tables.LAST))
        requests += [new_rule(rule) for rule in tables.of_the_hub(family)]
        # Last: from now on containers reach none of the hub's addresses but their gateway's.
        requests.append(delete_rule(Rule(family, 0, RT_TABLE_LOCAL)))
    requests.append(set_alias(LOOPBACK, COMPLETE.decode()))
    route.send(requests, forgiven=DONE_ALREADY)


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC).close()
    except OSError:
        return False
    return True


def _set(path: str, value: str) -> None:
    try:
        set_variable(path, value)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise NotSupported(
                "no network: /proc/sys may not be written to here, so packets cannot be forwarded",
                hint="in a container: run the outer one with --security-opt systempaths=unconfined, or use --network host",
            ) from None
        raise
