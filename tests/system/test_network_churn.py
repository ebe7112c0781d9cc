"""Connects, disconnects and ends while traffic flows: connections go on, and nothing stale is left in the hub."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.own_host import FAR, HOST, VISITORS
from tests.harness.processes import wait_until
from tests.system import socket_ways
from tests.system.own_net import LIMIT, Net, asked, net
from tests.system.test_hub_networks import Hub

__all__ = ["net"]
pytestmark = LIMIT
ROUNDS = 6
# Says on one connection after the other what has to come back, until it is told to end; then how often.
TALK = """
import select, socket, sys
made = [socket.create_connection((address, 7), 30) for address in sys.argv[1:]]
streams = [each.makefile("rwb") for each in made]
for stream in streams:
    stream.readline()
count = 0
print("talks", flush=True)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    count += 1
    for stream in streams:
        stream.write(b"%d\\n" % count)
        stream.flush()
        assert stream.readline() == b"%d\\n" % count
print("talked", flush=True)
"""
SHOW = """
ip -o link | cut -d: -f2; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all
for bridge in $(ls /sys/class/net | grep ^br-); do tc filter show dev $bridge ingress; done
"""


def pids(command: str) -> list[int]:
    return [each.pid for each in processes.descendants().values() if each.command.startswith(command)]


def in_hub(hub: Hub) -> list[str]:
    """Links, rules and routes of the hub, in which netd has a thread; numbers that count up are left out."""
    (task,) = [
        f"/proc/{pid}/task/{task.name}/ns/net"
        for pid in pids("rootless: networks")
        for task in Path(f"/proc/{pid}/task").iterdir()
        if task.name != str(pid)
    ]
    enter = "nsenter --net=$0 sh -c"
    told = hub.rootless("unshare", "sh", "-c", f"{enter} '{SHOW}'", task).stdout
    return sorted(re.sub(r"veth\d+|@if\d+|ref \d+|fh \S+|pref \d+| linkdown", "", line).rstrip() for line in told.splitlines())


def test_doctor_makes_its_bridge_in_a_hub_of_its_own(net: Net) -> None:
    """It was left in the user's, with a way to 192.0.2.0/24."""
    net.run("box")
    before = in_hub(net)
    (found,) = [each for each in json.loads(net.rootless("doctor", "--json", status=None).stdout)["findings"] if each["name"] == "bridges"]
    assert found["status"] == "ok"
    assert in_hub(net) == before


def test_connections_go_on_while_networks_come_and_go(net: Net) -> None:
    net.host.internet_servers()
    for name in ("a", "b", "c"):
        net.rootless("network", "create", "--ipv6", name)
    ways = ("-v", f"{socket_ways.__file__}:/srv/ways.py:ro")
    net.run("server", "--network", "a", *ways, command=("python3", "/srv/ways.py", "serve"))
    for name in ("one", "two"):
        net.run(name, "--network", "a")
    address = net.endpoint("server", "a")["IPAddress"]
    wait_until(lambda: net.rootless("exec", "one", "nc", "-z", address, "7", status=None).status == 0, "the server")
    talk = net.rootless.start("exec", "-i", "one", "python3", "-uc", TALK, address, *FAR)
    assert talk.stdout is not None
    assert talk.stdout.readline() == b"talks\n"
    for name in ("b", "c"):  # their bridges stay
        net.rootless("network", "connect", name, "two")
        net.rootless("network", "disconnect", name, "two")
    before = in_hub(net)
    leases = sorted((net.rootless.root / "networks/leases").glob("*/*"))
    network = f"{shlex.join(net.rootless.argv)} network"
    churn = f"""
    for round in $(seq {ROUNDS}); do
        {network} connect --alias x b $1; {network} connect c $1
        {network} disconnect b $1; {network} disconnect c $1
    done"""
    loops = [
        subprocess.Popen(["sh", "-euc", churn, "sh", name], env=net.rootless.environment, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for loop in loops:
        _, error = loop.communicate(timeout=100)
        assert loop.returncode == 0, error
        assert error == b"", error
    output, error = talk.communicate(b"\n", timeout=60)
    assert output == b"talked\n", error
    wait_until(lambda: in_hub(net) == before, f"the hub as it was: {before}")
    assert sorted((net.rootless.root / "networks/leases").glob("*/*")) == leases
    assert net.reaches("two", "one")
    # Containers that are killed leave nothing either.
    for _ in range(2):
        for name in ("k1", "k2"):
            net.run(name, "--rm", "--network", "a", "--network", "b", "-p", "8080:80" if name == "k1" else "8081:81")
        for name in ("k1", "k2"):
            net.rootless("kill", name)
        wait_until(lambda: len(net.rootless("ps", "-q").lines) == 3, "their ends")
    wait_until(lambda: in_hub(net) == before, f"the hub as it was: {before}")


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed half way before"])
def test_the_default_route_is_another_networks_again(net: Net, *, killed: bool) -> None:
    """Taken off the network that had it by its priority: routes and the rules of published ports follow."""
    net.host.internet_servers()
    for name in ("a", "b"):
        net.rootless("network", "create", name)
    serve = ("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80")
    identifier = net.run("web", "--network", "a", "-p", "8080:80", command=serve)
    wait_until(lambda: net.rootless("exec", "web", "curl", "-sS", "http://web/", status=None).status == 0, "the web server")
    net.run("on-b", "--network", "b")
    before = in_hub(net)
    net.rootless("network", "connect", "--gw-priority", "1", "b", "web")
    assert "dev eth1" in net.inside("web", "ip", "route", "show", "default")
    if killed:  # when it had written what is wanted
        config = net.rootless.root / "containers" / identifier / "config.json"
        record = json.loads(config.read_text())
        del record["network"]["networks"]["b"]
        config.write_text(json.dumps(record))
    net.rootless("network", "disconnect", "b", "web")
    assert "dev eth0" in net.inside("web", "ip", "route", "show", "default")
    assert net.sh("web", f"curl -sS http://{FAR[0]}/who") == f"{HOST[0]}\n"
    assert "Directory listing" in asked(net.host, VISITORS[0], f"http://{HOST[0]}:8080/")
    assert in_hub(net) == before


def test_whatever_is_killed_comes_back(net: Net) -> None:
    """netd, and the way out: what neighbours say to each other goes on meanwhile."""
    net.host.internet_servers()
    net.rootless("network", "create", "app")
    ways = ("-v", f"{socket_ways.__file__}:/srv/ways.py:ro")
    net.run("server", "--network", "app", "-p", "7777:7", *ways, command=("python3", "/srv/ways.py", "serve"))
    net.run("client", "--network", "app")
    address = net.endpoint("server", "app")["IPAddress"]
    wait_until(lambda: net.rootless("exec", "client", "nc", "-z", address, "7", status=None).status == 0, "the server")
    talk = net.rootless.start("exec", "-i", "client", "python3", "-uc", TALK, address)
    assert talk.stdout is not None
    assert talk.stdout.readline() == b"talks\n"
    everything = f"getent hosts server; echo x | socat -T2 - UDP4:{FAR[0]}:7; nc -N {FAR[0]} 7 </dev/null"
    wanted = f"{address}      server\n203.0.113.2\n203.0.113.2\n"

    def works() -> bool:
        return net.rootless("exec", "client", "bash", "-c", everything, status=None).stdout == wanted

    assert works()
    for what in ("rootless: networks", "slirp4netns", "both"):
        for command in ("rootless: networks", "slirp4netns"):
            for pid in pids(command) if what in (command, "both") else []:
                with contextlib.suppress(ProcessLookupError):  # netd's child ends with it
                    os.kill(pid, signal.SIGKILL)
        wait_until(works, f"all of it, {what} killed")
        with_visitor = "import socket; print(socket.create_connection(('203.0.113.2', 7777), 20).recv(99).decode(), end='')"
        assert net.host.run(sys.executable, "-c", with_visitor, where=net.host.outside) == "::ffff:203.0.113.1\n", what
    output, error = talk.communicate(b"\n", timeout=60)
    assert output == b"talked\n", error
