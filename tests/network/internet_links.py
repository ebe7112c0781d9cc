"""The links, addresses and routing rules of the small internet (internet.py): by ip(8) and tc(8), beside what rootless does.

The hub has what rootless/network/hub makes there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

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
    internet.ip(
        "hub",
        "link add br-one type bridge\nlink add br-other type bridge\n"
        f"addr add {GATEWAY[0]}/24 dev br-one\naddr add {GATEWAY[1]}/64 dev br-one nodad\n"
        f"addr add {OTHER_GATEWAY[0]}/24 dev br-other\naddr add {OTHER_GATEWAY[1]}/64 dev br-other nodad\n"
        "link set br-one up\nlink set br-other up\n",
    )
    for name, (four, six) in CONTAINERS.items():
        gateway = OTHER_GATEWAY if name == "other" else GATEWAY
        internet.ip(
            "hub",
            f"link add v-{name} type veth peer name eth0 netns {internet.link_path(name)}\n"
            f"link set v-{name} master {'br-other' if name == 'other' else 'br-one'}\nlink set v-{name} up\n",
        )
        internet.ip(
            name,
            f"addr add {four}/24 dev eth0\naddr add {six}/64 dev eth0 nodad\nlink set eth0 up\n"
            f"route add default via {gateway[0]}\nroute add default via {gateway[1]}\n",
        )


def make_rules(internet: Internet) -> None:
    """What rootless/network/hub makes: §5.4 and §5.5 of the design in docs/architecture.md."""
    for family, prefix in (("-4", "172.30.0.0/16"), ("-6", "fd30::/16")):
        bridges = [f"rule add pref 20 iif br-{name} ipproto tcp lookup 100\n" for name in ("one", "other")]
        internet.ip(
            "hub",
            "route add local default dev lo table 100\n"
            f"rule add pref 10 iif gate0 to {prefix} lookup main\nrule add pref 11 iif gate0 lookup 100\n"
            + "".join(bridges),
            family=family,
        )


def redirect_syns(internet: Internet) -> None:
    four = "protocol ip u32 match u8 0x45 0xff at 0 match ip protocol 6 0xff match u16 0 0x3fff at 6 match u8 2 0x12 at 33"
    six = "protocol ipv6 u32 match u8 6 0xff at 6 match u8 2 0x12 at 53"
    with internet.inside("hub"):
        for bridge in ("br-one", "br-other"):
            run("tc", "qdisc", "add", "dev", bridge, "ingress")
            for preference, match in (("10", four), ("11", six)):
                words = f"filter add dev {bridge} parent ffff: pref {preference} {match}"
                run("tc", *words.split(), *"action mirred egress redirect dev gate0".split())
