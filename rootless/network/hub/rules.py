"""Routing rules of published ports, as messages."""

from __future__ import annotations

from rootless.linux import socket
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.route import Rule, delete_rule, new_rule
from rootless.network.hub import foundation, tables, thread
from rootless.network.hub.endpoint import PortRule
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.endpoint import Endpoint

_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


def port_rules(endpoint: Endpoint, protocol: str, first: int, last: int) -> list[PortRule]:
    """What makes answers from the container's ports `first` to `last` ("tcp", "udp") come back to netd, whatever their
    destination: one rule for each family that the endpoint has. To be given to send_rules()."""
    both = ((socket.AF_INET, endpoint.address4), (socket.AF_INET6, endpoint.address6))
    rules = [
        Rule(family, tables.PORT_RULE, tables.TABLE_LOCAL_ALL, source=address, iif=endpoint.bridge.name,
             protocol=_PROTOCOLS[protocol], sport=(first, last))
        for family, address in both if address
    ]  # fmt: skip
    return [PortRule(new_rule(rule), delete_rule(rule)) for rule in rules]


def send_rules(hub: int, messages: Sequence[bytes]) -> None:
    """Send rtnetlink messages in the hub; what is there already, or gone already, is no error."""

    def work() -> None:
        thread.enter(hub)
        with Route() as route:
            route.send(messages, forgiven=foundation.DONE_ALREADY)

    if messages:
        thread.run(work, step="change the rules of published ports")
