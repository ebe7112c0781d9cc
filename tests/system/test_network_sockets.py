"""The ways in which programs connect (socket_ways.py), to a neighbour on the bridge and to the outside."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.harness.own_host import FAR, HOST
from tests.system import socket_ways
from tests.system.own_net import LIMIT, Net, net

__all__ = ["net"]
pytestmark = LIMIT
MOUNT = ("-v", f"{socket_ways.__file__}:/srv/ways.py:ro")
SUBNETS = ("10.89.7.0/24", "fd77:1::/64")
# As it is where the kernel has no tc: what is said of that is a test's of rootless/network/hub/gate.py.
LEAVE_GATE = """
import sys
from rootless.network.hub import gate, namespace
from rootless.network.hub.endpoint import Bridge
gate.remove_gate(namespace.open_hub(), [Bridge(sys.argv[1], "10.89.7.0/24", "10.89.7.1", "fd77:1::/64", "fd77:1::1")])
"""


def make_network(net: Net) -> None:
    net.host.internet_servers()
    net.rootless("network", "create", "--ipv6", "--subnet", SUBNETS[0], "--subnet", SUBNETS[1], "app")


def test_all_ways_to_connect(net: Net) -> None:
    make_network(net)
    net.run("server", "--network", "app", *MOUNT, command=("python3", "/srv/ways.py", "serve"))
    net.run("client", "--network", "app", *MOUNT)
    addresses = (*FAR, "10.89.7.2", "fd77:1::2")
    told = net.rootless("exec", "client", "python3", "/srv/ways.py", *addresses, timeout=200)
    assert told.lines == [f"{address} {name}" for address in addresses for name in socket_ways.WAYS], told.stderr


def test_all_of_them_without_the_gate(net: Net) -> None:
    """By slirp4netns: IPv4, as good and slower; and IPv6 is told to be unreachable."""
    make_network(net)
    net.run("client", "--network", "app", *MOUNT)
    assert net.sh("client", f"curl -sSg http://[{FAR[1]}]/who") == f"{HOST[1]}\n"
    identifier = net.rootless("network", "inspect", "-f", "{{.Id}}", "app").stdout.strip()
    path = f"PYTHONPATH={Path(__file__).parents[2]}"
    net.rootless("unshare", "env", path, sys.executable, "-c", LEAVE_GATE, identifier)
    told = net.rootless("exec", "client", "python3", "/srv/ways.py", FAR[0], timeout=200)
    assert told.lines == [f"{FAR[0]} {name}" for name in socket_ways.WAYS], told.stderr
    assert "Network is unreachable" in net.rootless("exec", "client", "nc", "-vzw20", FAR[1], "7", status=1).stderr
    # The next start of a container makes it anew, for the ones that are there too.
    net.run("another", "--network", "app")
    assert net.sh("client", f"curl -sSg http://[{FAR[1]}]/who") == f"{HOST[1]}\n"
