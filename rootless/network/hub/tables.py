"""The hub's routing: which tables there are, and in which order its rules look them up.

A packet is judged by where it came in:

    lo, tap0, gate0    made here, from the uplink, from the gate: TRUSTED rules, first
    a bridge           PORT      answers of published ports come back to netd (table LOCAL_ALL)
                       GATE      all TCP from addresses of the network, where the gate is on
                       OWN       the network's own table: its subnet, and its gateway's address, which is ours
                       OUT       goes on to NETWORKS, if it has a source address of the network; refused, if that is internal
                       DROPPED   everything else: it has a source address of another network, whose container would be told
                       NETWORKS  the subnets of all networks: refused
                       WAY_OUT   the default route, by the uplink
                       END       refused

The kernel's own table of local addresses is not looked up for what containers send: they reach the gateway
address of their own network and no other address of the hub. docs/networks.md
"""

from __future__ import annotations

from rootless.linux import socket
from rootless.linux.netlink.route import RT_TABLE_LOCAL, RT_TABLE_MAIN, Rule
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.network.hub.endpoint import Bridge

LAST = 0xFFFFFFFF  # the metric of a route that any other one comes before
FAMILIES = (socket.AF_INET, socket.AF_INET6)
TAP, GATE = "tap0", "gate0"

TABLE_LOCAL_ALL, TABLE_NETWORKS, TABLE_WAY_OUT, TABLE_OF_FIRST_LINK = 100, 101, 102, 1000
TRUSTED, PORT_RULE, GATE_RULE, OWN, OUT, DROPPED, NETWORKS, WAY_OUT, END = 10, 100, 200, 300, 350, 390, 400, 401, 402


def table_of(index: int) -> int:
    """The table of the network whose bridge has that index in the hub."""
    return TABLE_OF_FIRST_LINK + index


def of_the_hub(family: int) -> list[Rule]:
    """The rules that there are once."""
    rules = [
        Rule(family, TRUSTED, RT_TABLE_LOCAL, iif="lo"),
        Rule(family, TRUSTED + 1, RT_TABLE_MAIN, iif="lo"),
        Rule(family, TRUSTED + 2, RT_TABLE_LOCAL, iif=TAP),
        Rule(family, TRUSTED + 3, RT_TABLE_MAIN, iif=TAP, longer_than=0),
        Rule(family, TRUSTED + 4, TABLE_LOCAL_ALL, iif=GATE),
        Rule(family, DROPPED, silent=True),
        Rule(family, NETWORKS, TABLE_NETWORKS),
        Rule(family, WAY_OUT, TABLE_WAY_OUT),
        Rule(family, END),
    ]
    if family == socket.AF_INET6:  # neighbours are asked for, and answer, by such addresses
        rules += [Rule(family, TRUSTED + 5, RT_TABLE_LOCAL, to="ff00::/8"), Rule(family, TRUSTED + 6, RT_TABLE_LOCAL, to="fe80::/10")]
    return rules


def of_bridge(bridge: Bridge, index: int) -> list[Rule]:
    """The rules of one network."""
    rules = []
    for family, subnet in ((socket.AF_INET, bridge.subnet4), (socket.AF_INET6, bridge.subnet6)):
        if subnet:
            # IPv6 has no rp_filter: what comes in another network's name would be answered there.
            sources = (subnet, "fe80::/10") if family == socket.AF_INET6 else ("",)
            rules += [Rule(family, OWN, table_of(index), source=source, iif=bridge.name) for source in sources]
            rules.append(Rule(family, OUT, goto=0 if bridge.internal else NETWORKS, source=subnet, iif=bridge.name))
    return rules


def of_gate(bridge: Bridge) -> list[Rule]:
    """The rules that bring a network's TCP to the gate's listeners."""
    subnets = ((socket.AF_INET, bridge.subnet4), (socket.AF_INET6, bridge.subnet6))
    return [
        Rule(family, GATE_RULE, TABLE_LOCAL_ALL, source=subnet, iif=bridge.name, protocol=socket.IPPROTO_TCP)
        for family, subnet in subnets
        if subnet and not bridge.internal
    ]
