"""The ways in which programs connect (socket_ways.py), to a neighbour on the bridge and to the outside."""

from __future__ import annotations

from pathlib import Path

from tests.harness.own_host import FAR
from tests.system import socket_ways
from tests.system.own_net import LIMIT, Net, net

__all__ = ["net"]
pytestmark = LIMIT
WAYS = Path(socket_ways.__file__)


def test_all_ways_to_connect(net: Net) -> None:
    net.host.internet_servers()
    net.rootless("network", "create", "--ipv6", "--subnet", "10.89.7.0/24", "--subnet", "fd77:1::/64", "app")
    own = ("-v", f"{WAYS}:/srv/ways.py:ro")
    net.run("server", "--network", "app", *own, command=("python3", "/srv/ways.py", "serve"))
    net.run("client", "--network", "app", *own)
    addresses = (*FAR, "10.89.7.2", "fd77:1::2")
    told = net.rootless("exec", "client", "python3", "/srv/ways.py", *addresses, timeout=400)
    assert told.lines == [f"{address} {name}" for address in addresses for name in socket_ways.WAYS], told.stderr
