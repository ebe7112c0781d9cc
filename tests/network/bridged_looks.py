"""What a network namespace has, as pyroute2 sees it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from pyroute2 import IPRoute  # type: ignore[import-untyped]


def links() -> dict[str, dict[str, object]]:
    """What the namespace has, by name: kind, largest packet, MAC, state, what it is a port of."""
    with IPRoute() as route:
        found = route.get_links()
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in found}
    return {
        link.get_attr("IFLA_IFNAME"): {
            "kind": (link.get_attr("IFLA_LINKINFO") or link).get_attr("IFLA_INFO_KIND"),
            "mtu": link.get_attr("IFLA_MTU"),
            "mac": link.get_attr("IFLA_ADDRESS"),
            "up": link["state"] == "up",
            "master": names.get(link.get_attr("IFLA_MASTER")),
        }
        for link in found
    }


def addresses(interface: str) -> set[str]:
    with IPRoute() as route:
        found = route.get_addr(index=socket.if_nametoindex(interface))
    return {f"{each.get_attr('IFA_ADDRESS')}/{each['prefixlen']}" for each in found if each["scope"] == 0}


def default_routes() -> dict[int, str]:
    """Gateway and link by family."""
    with IPRoute() as route:
        return {
            each["family"]: f"{each.get_attr('RTA_GATEWAY')} {socket.if_indextoname(each.get_attr('RTA_OIF'))}"
            for each in route.get_routes(table=254)
            if each["dst_len"] == 0 and each.get_attr("RTA_GATEWAY")
        }


def everything() -> dict[str, list[str]]:
    """Links, rules and routes of ours in the hub."""
    with IPRoute() as route:
        rules = [rule for family in (2, 10) for rule in route.get_rules(family=family)]
        routes = [each for family in (2, 10) for each in route.get_routes(family=family) if each.get_attr("RTA_TABLE") != 255]
        return {
            "links": sorted(links()),
            "rules": sorted(
                f"{rule['family']} {rule.get_attr('FRA_PRIORITY')} {rule.get_attr('FRA_IIFNAME')} {rule.get_attr('FRA_TABLE')}"
                for rule in rules
            ),
            "routes": sorted(
                f"{each['family']} {each.get_attr('RTA_TABLE')} {each.get_attr('RTA_DST')} {each['type']}" for each in routes
            ),
        }


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
