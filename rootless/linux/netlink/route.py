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
from rootless.record import Record

RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTN_UNICAST, RTN_LOCAL, RTN_UNREACHABLE, RTN_PROHIBIT = 1, 2, 7, 8
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST = 0, 253, 254
RT_TABLE_MAIN, RT_TABLE_LOCAL = 254, 255
RTPROT_BOOT = 3
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_METRICS, RTA_TABLE = 1, 4, 5, 6, 8, 15
RTAX_MTU = 2
RTNH_F_ONLINK = 4
FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT = 1, 2, 6, 8
FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_GOTO, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE = 1, 2, 3, 4, 6, 14, 15
FRA_IP_PROTO, FRA_SPORT_RANGE = 22, 23
ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst, src, tos, table, protocol, scope, type, flags
RULE = ROUTE  # struct fib_rule_hdr: family, dst, src, tos, table, -, -, action, flags


def _prefix(text_of_it: str, family: int) -> tuple[bytes, int]:
    """An address with its length; without one it is whole. "" is everything."""
    if not text_of_it:
        return b"", 0
    address, _, length = text_of_it.partition("/")
    return packed(address), int(length) if length else 128 if family == socket.AF_INET6 else 32


def _route(
    family: int, kind: int, table: int, to: str, via: str, index: int, metric: int, flags: int = 0
) -> bytes:
    destination, length = _prefix(to, family)
    scope = RT_SCOPE_HOST if kind == RTN_LOCAL else RT_SCOPE_UNIVERSE if via or not index else RT_SCOPE_LINK
    if family == socket.AF_INET6:
        scope = RT_SCOPE_UNIVERSE
    words = number(RTA_TABLE, table)
    words += attribute(RTA_DST, destination) if length else b""
    words += attribute(RTA_GATEWAY, packed(via)) if via else b""
    words += number(RTA_OIF, index) if index else b""
    words += number(RTA_PRIORITY, metric) if metric else b""
    return ROUTE.pack(family, length, 0, 0, table if table < 256 else 0, RTPROT_BOOT, scope, kind, flags) + words


def new_route(
    family: int, table: int, to: str = "", *, kind: int = RTN_UNICAST, via: str = "", index: int = 0, metric: int = 0,
    onlink: bool = False,
) -> bytes:  # fmt: skip
    """A route to a network or address ("": to everything); one of the same destination and metric is replaced.

    onlink: the gateway is believed to be on the link; IPv6 asks rules about it that know no link it came in by."""
    flags = RTNH_F_ONLINK if onlink else 0
    payload = _route(family, kind, table, to, via, index, metric, flags)
    return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload)


def delete_route(
    family: int, table: int, to: str = "", *, kind: int = RTN_UNICAST, index: int = 0, metric: int = 0
) -> bytes:
    """Remove one; ESRCH where there is none."""
    return message(RTM_DELROUTE, 0, _route(family, kind, table, to, "", index, metric))


class Rule(Record):
    """Which packets, and what about them: a table is looked up, another rule gone to, or without either they are refused."""

    family: int
    priority: int
    table: int = 0
    goto: int = 0  # the priority of a later rule
    source: str = ""
    to: str = ""
    iif: str = ""  # the link that they came in by; "lo": made here
    protocol: int = 0
    sport: tuple[int, int] = (0, 0)  # first and last
    longer_than: int = -1  # of the table's routes those with a longer prefix alone
    silent: bool = False  # refused without a message to who is said to have sent it


def _rule(rule: Rule) -> bytes:
    source, source_length = _prefix(rule.source, rule.family)
    to, to_length = _prefix(rule.to, rule.family)
    refusal = FR_ACT_BLACKHOLE if rule.silent else FR_ACT_PROHIBIT
    action = FR_ACT_TO_TBL if rule.table else FR_ACT_GOTO if rule.goto else refusal
    words = number(FRA_PRIORITY, rule.priority)
    words += number(FRA_TABLE, rule.table) if rule.table else b""
    words += number(FRA_GOTO, rule.goto) if rule.goto else b""
    words += attribute(FRA_SRC, source) if source_length else b""
    words += attribute(FRA_DST, to) if to_length else b""
    words += text(FRA_IIFNAME, rule.iif) if rule.iif else b""
    words += byte(FRA_IP_PROTO, rule.protocol) if rule.protocol else b""
    words += attribute(FRA_SPORT_RANGE, struct.pack("=HH", *rule.sport)) if rule.sport[1] else b""
    words += number(FRA_SUPPRESS_PREFIXLEN, rule.longer_than) if rule.longer_than >= 0 else b""
    table = rule.table if rule.table < 256 else 0
    return RULE.pack(rule.family, to_length, source_length, 0, table, 0, 0, action, 0) + words


def new_rule(rule: Rule) -> bytes:
    """EEXIST where it is there."""
    return message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _rule(rule))


def delete_rule(rule: Rule) -> bytes:
    """ENOENT where there is none."""
    return message(RTM_DELRULE, 0, _rule(rule))


def delete_rules_of(family: int, priority: int, iif: str) -> bytes:
    """Remove one of the rules with that priority for what came in by a link, whatever else it says; ENOENT where there is none."""
    words = number(FRA_PRIORITY, priority) + text(FRA_IIFNAME, iif)
    return message(RTM_DELRULE, 0, RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + words)


def get_route(destination: str) -> bytes:
    """The payload of an RTM_GETROUTE: which way packets to an address go."""
    family = family_of(destination)
    data = packed(destination)
    return ROUTE.pack(family, 8 * len(data), 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_DST, data)
