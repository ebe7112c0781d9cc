"""The links and addresses of the small internet (internet.py): by ip(8), but for the hub, which rootless/network/hub makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from rootless.network.hub.attach import attach
from rootless.network.hub.endpoint import Bridge, Endpoint
from rootless.network.hub.gate import ensure_gate

if TYPE_CHECKING:
    from tests.network.internet import Internet

HOST = "203.0.113.1", "2001:db8:ffff::1"
OUTSIDE = "203.0.113.2", "2001:db8:ffff::2"
GATEWAY = "172.30.1.1", "fd30:1::1"
CONTAINERS = {
    "one": ("172.30.1.2", "fd30:1::2"),
    "two": ("172.30.1.3", "fd30:1::3"),
    "other": ("172.30.2.2", "fd30:2::2"),
}
OTHER_GATEWAY = "172.30.2.1", "fd30:2::1"
BRIDGES = {
    "one": Bridge("01" * 32, "172.30.1.0/24", GATEWAY[0], "fd30:1::/64", GATEWAY[1]),
    "other": Bridge("02" * 32, "172.30.2.0/24", OTHER_GATEWAY[0], "fd30:2::/64", OTHER_GATEWAY[1]),
}


def run(*argv: str, text: str | None = None) -> str:
    """The output of a program that must succeed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # an ordinary user's has neither
    argv = (shutil.which(argv[0], path=path) or argv[0], *argv[1:])
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{argv} {text}: {done.stderr}"
    return done.stdout


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def lay(internet: Internet) -> None:
    for name in internet.namespaces:
        internet.ip(name, "link set lo up\n")
        with internet.inside(name):
            write("/proc/sys/net/ipv4/conf/all/rp_filter", "0")
            write("/proc/sys/net/ipv4/conf/default/rp_filter", "0")
            write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
    internet.ip(
        "host",
        f"link add out0 type veth peer name eth0 netns {internet.link_path('outside')}\n"
        f"addr add {HOST[0]}/24 dev out0\naddr add {HOST[1]}/64 dev out0 nodad\nlink set out0 up\n"
        # Nobody answers there; nobody routes there.
        "route add 198.51.100.0/24 via 203.0.113.77\nroute add unreachable 192.0.2.0/24\n"
        "neigh add 203.0.113.77 lladdr 02:00:00:00:00:77 dev out0\n",
    )
    internet.ip(
        "outside",
        f"addr add {OUTSIDE[0]}/24 dev eth0\naddr add {OUTSIDE[1]}/64 dev eth0 nodad\nlink set eth0 up\n",
    )
    internet.in_session(lambda: _attach(internet))


def endpoint(name: str) -> Endpoint:
    """A container's place on its network."""
    number = list(CONTAINERS).index(name) + 1
    four, six = CONTAINERS[name]
    bridge = BRIDGES["other" if name == "other" else "one"]
    return Endpoint(bridge, "eth0", f"veth{name}", f"02:42:00:00:00:{number:02x}", four, six, default4=True, default6=True)


def _attach(internet: Internet) -> None:
    for name in CONTAINERS:
        attach(internet.namespaces["hub"], internet.namespaces[name], [endpoint(name)], first=False)


def redirect_syns(internet: Internet) -> None:
    """Has the hub send outgoing connections to the gate's device."""
    assert internet.in_session(lambda: ensure_gate(internet.namespaces["hub"], list(BRIDGES.values())))
