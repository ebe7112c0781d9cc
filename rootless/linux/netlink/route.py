"""Routes, and the rules that say which table is looked up. linux/rtnetlink.h, linux/fib_rules.h."""

from __future__ import annotations

from rootless.linux import socket, struct
from rootless.linux.netlink.address import family_of, packed
from rootless.linux.netlink.message import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    attribute,
    byte,
    message,
    number,
    text,
)

RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTN_UNICAST, RTN_LOCAL, RTN_UNREACHABLE, RTN_PROHIBIT = 1, 2, 7, 8
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST = 0, 253, 254
RT_TABLE_MAIN, RT_TABLE_LOCAL = 254, 255
RTPROT_STATIC = 4
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_METRICS, RTA_TABLE = 1, 4, 5, 6, 8, 15
RTAX_MTU = 2
RTNH_F_ONLINK = 4
FR_ACT_TO_TBL, FR_ACT_PROHIBIT = 1, 8
FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE = 1, 2, 3, 6, 14, 15
FRA_IP_PROTO, FRA_SPORT_RANGE = 22, 23
ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst, src, tos, table, protocol, scope, type, flags
RULE = ROUTE  # struct fib_rule_hdr: family, dst, src, tos, table, -, -, action, flags


def _prefix(text_of_it: str, family: int) -> tuple[bytes, int]:
    """An address with its length; without one it is whole. "" is everything."""
    if not text_of_it:
        return b"", 0
    address, _, length = text_of_it.partition("/")
    return packed(address), int(length) if length else 128 if family == socket.AF_INET6 else 32


def _route(family: int, kind: int, table: int, to: str, via: str, index: int, metric: int) -> bytes:
    destination, length = _prefix(to, family)
    scope = RT_SCOPE_HOST if kind == RTN_LOCAL else RT_SCOPE_UNIVERSE if via or not index else RT_SCOPE_LINK
    if family == socket.AF_INET6:
        scope = RT_SCOPE_UNIVERSE
    flags = RTNH_F_ONLINK if via else 0
    words = number(RTA_TABLE, table)
    words += attribute(RTA_DST, destination) if length else b""
    words += attribute(RTA_GATEWAY, packed(via)) if via else b""
    words += number(RTA_OIF, index) if index else b""
    words += number(RTA_PRIORITY, metric) if metric else b""
    return ROUTE.pack(family, length, 0, 0, table if table < 256 else 0, RTPROT_STATIC, scope, kind, flags) + words


def new_route(
    family: int, table: int, to: str = "", *, kind: int = RTN_UNICAST, via: str = "", index: int = 0, metric: int = 0
) -> bytes:
    """A route to a network or address ("": to everything); one of the same destination and metric is replaced."""
    return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route(family, kind, table, to, via, index, metric))


def delete_route(
    family: int, table: int, to: str = "", *, kind: int = RTN_UNICAST, index: int = 0, metric: int = 0
) -> bytes:
    """Remove one; ESRCH where there is none."""
    return message(RTM_DELROUTE, 0, _route(family, kind, table, to, "", index, metric))


def _rule(
    family: int, priority: int, table: int, source: str, to: str, iif: str, protocol: int, sport: tuple[int, int], longer_than: int
) -> bytes:
    from_address, from_length = _prefix(source, family)
    to_address, to_length = _prefix(to, family)
    action = FR_ACT_TO_TBL if table else FR_ACT_PROHIBIT
    words = number(FRA_PRIORITY, priority)
    words += number(FRA_TABLE, table) if table else b""
    words += attribute(FRA_SRC, from_address) if from_length else b""
    words += attribute(FRA_DST, to_address) if to_length else b""
    words += text(FRA_IIFNAME, iif) if iif else b""
    words += byte(FRA_IP_PROTO, protocol) if protocol else b""
    words += attribute(FRA_SPORT_RANGE, struct.pack("=HH", *sport)) if sport[1] else b""
    words += number(FRA_SUPPRESS_PREFIXLEN, longer_than) if longer_than >= 0 else b""
    return RULE.pack(family, to_length, from_length, 0, table if table < 256 else 0, 0, 0, action, 0) + words


def new_rule(
    family: int, priority: int, table: int = 0, *, source: str = "", to: str = "", iif: str = "", protocol: int = 0,
    sport: tuple[int, int] = (0, 0), longer_than: int = -1,
) -> bytes:  # fmt: skip
    """A rule that looks a table up, or without one prohibits: for packets from `source`, to `to`, that came in by `iif`, of an
    IP protocol and from a range of ports. longer_than: only for a route with a longer prefix than that.
    EEXIST where it is there."""
    payload = _rule(family, priority, table, source, to, iif, protocol, sport, longer_than)
    return message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, payload)


def delete_rule(
    family: int, priority: int, table: int = 0, *, source: str = "", to: str = "", iif: str = "", protocol: int = 0,
    sport: tuple[int, int] = (0, 0), longer_than: int = -1,
) -> bytes:  # fmt: skip
    """Remove it; ENOENT where there is none."""
    return message(RTM_DELRULE, 0, _rule(family, priority, table, source, to, iif, protocol, sport, longer_than))


def get_route(destination: str) -> bytes:
    """The payload of an RTM_GETROUTE: which way packets to an address go."""
    family = family_of(destination)
    data = packed(destination)
    return ROUTE.pack(family, 8 * len(data), 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_DST, data)
