"""The host's own way out: its largest packet. Asked in the host's network namespace, where rtnetlink tells everybody."""

from __future__ import annotations

from rootless.linux import struct
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFLA_MTU, LINK, RTM_GETLINK
from rootless.linux.netlink.message import attributes
from rootless.linux.netlink.route import ROUTE, RTA_METRICS, RTA_OIF, RTAX_MTU, RTM_GETROUTE, get_route

USUAL_MTU, LEAST_MTU = 1500, 1280
# Addresses of documentation are nobody's, so the way to them is that to everywhere: RFC 5737, RFC 3849.
_ANYWHERE = ("203.0.113.1", "2001:db8::1")


def mtu(route: Route) -> int:
    """The largest packet on the way that the host's default routes take, the smaller one of both families; 1500 without any.

    Not below 1280, which IPv6 needs of every link."""
    found = [size for size in (_mtu_to(route, address) for address in _ANYWHERE) if size]
    return max(LEAST_MTU, min(found)) if found else USUAL_MTU


def _mtu_to(route: Route, address: str) -> int:
    """0: there is no way."""
    try:
        words = dict(attributes(route.get(RTM_GETROUTE, get_route(address))[ROUTE.size :]))
        limits = dict(attributes(words.get(RTA_METRICS, b"")))
        if RTAX_MTU in limits:
            return _number(limits[RTAX_MTU])
        link = route.get(RTM_GETLINK, LINK.pack(0, 0, _number(words[RTA_OIF]), 0, 0))
        # loopback's is no size that anything beyond the host has
        return min(_number(dict(attributes(link[LINK.size :]))[IFLA_MTU]), 65520)
    except (OSError, KeyError):
        return 0


def _number(data: bytes) -> int:
    return int(struct.unpack("=I", data)[0])
