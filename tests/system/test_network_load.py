"""Hundreds of connects and disconnects while traffic flows: all of it goes on, and nothing stale is left."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

from rootless.network.hub import netd
from tests.harness.own_host import FAR
from tests.harness.processes import wait_until
from tests.system import socket_ways, traffic
from tests.system.own_net import LIMIT, Net, net
from tests.system.test_hub_networks import Hub
from tests.system.test_network_churn import TALK, in_hub, pids

__all__ = ["net"]
pytestmark = LIMIT
ROUNDS = 9


def runtime(hub: Hub) -> str:
    """Where its netd is: of a user namespace on a host that has the same directory."""
    (found,) = hub.rootless.runtime.glob("*/netd.sock")
    return str(found.parent)


def registered(hub: Hub) -> list[str]:
    """What netd knows: containers, and how many sockets of published ports each has; flows come and go."""
    lines = [line.split() for line in netd.ask_running(runtime(hub), "list")]
    return sorted(f"{words[0]} {words[-2]} {words[-1]}" for words in lines)


def leases(hub: Hub) -> list[Path]:
    return sorted((hub.rootless.root / "networks/leases").glob("*/*"))


def listening(net: Net) -> list[str]:
    """Sockets that wait on the host for somebody."""
    return sorted(" ".join(line.split()[:5]) for line in net.host.run("ss", "-Hlntu").splitlines())


def descriptors(hub: Hub) -> list[str]:
    """What netd has open, without the numbers, and without the pipes that it keeps for the next connections."""
    (pid,) = [pid for pid in pids("rootless: networks") if len(list(Path(f"/proc/{pid}/task").iterdir())) > 1]
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(re.sub(r"\d+", "", str(each.readlink())))
    return sorted(each for each in found if each != "pipe:[]")


def no_more_descriptors(hub: Hub, before: list[str]) -> None:
    """Wait until netd has no more than it had; a listener of the gate waits for a while for the next connection to its port."""
    try:
        wait_until(lambda: Counter(descriptors(hub)) <= Counter(before), "netd's descriptors")
    finally:
        assert Counter(descriptors(hub)) - Counter(before) == Counter()


def same_hub(hub: Hub, before: list[str]) -> None:
    """Wait until the hub is as it was."""
    try:
        wait_until(lambda: in_hub(hub) == before, "the hub as it was")
    finally:
        assert set(in_hub(hub)).symmetric_difference(before) == set()


def shell_loop(hub: Hub, script: str, *words: str) -> subprocess.Popen[str]:
    """A script in which rootless is `$rootless`, beside others."""
    text = f"rootless() {{ {shlex.join(hub.rootless.argv)} \"$@\"; }}\n{script}"
    argv = ["sh", "-euc", text, "sh", *words]
    return subprocess.Popen(argv, env=hub.rootless.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_hundreds_of_changes_while_traffic_flows(net: Net) -> None:
    """Of containers whose traffic that is, too; several at once, some of them of the same container."""
    net.host.internet_servers()
    net.rootless("network", "create", "--ipv6", "a")
    for name, *options in (("b",), ("c", "--ipv6"), ("d", "--internal"), ("e", "-o", "com.docker.network.bridge.enable_icc=false")):
        net.rootless("network", "create", *options, name)
    mounted = ("-v", f"{Path(traffic.__file__).parent}:/srv:ro")
    net.run("server", "--network", "a", *mounted, command=("python3", "/srv/traffic.py", "serve"))
    net.run("echo", "--network", "a", "-p", "7777:7", *mounted, command=("python3", f"/srv/{Path(socket_ways.__file__).name}", "serve"))
    net.run("client", "--network", "a", "-p", "8080-8089:80-89", *mounted)
    for name, port in (("one", 8090), ("two", 8091)):
        net.run(name, "--network", "a", "-p", f"{port}:80")
    for name in ("b", "c", "d", "e"):  # their bridges stay
        net.run(f"on-{name}", "--network", name)
    address, echo = (net.endpoint(name, "a")["IPAddress"] for name in ("server", "echo"))
    serve = f"nc -z {address} {traffic.STREAM} && nc -z {echo} 7"
    wait_until(lambda: net.rootless("exec", "two", "sh", "-c", serve, status=None).status == 0, "the servers")
    flowing = net.rootless.start("exec", "-i", "client", "python3", "-u", "/srv/traffic.py", "use", "server", address)
    talk = net.rootless.start("exec", "-i", "client", "python3", "-uc", TALK, echo, *FAR)
    assert talk.stdout is not None
    assert flowing.stdout is not None
    assert flowing.stdout.readline().decode() == "flows \n"
    assert talk.stdout.readline() == b"talks\n"
    before = in_hub(net), registered(net), leases(net), listening(net), descriptors(net)
    script = f"""
    for round in $(seq {ROUNDS}); do
        rootless network connect --alias x --gw-priority 1 $2 $1; rootless network connect $3 $1
        rootless network disconnect $2 $1; rootless network disconnect $3 $1
    done"""
    loops = [shell_loop(net, script, name, *pair) for name in ("one", "two") for pair in (("b", "d"), ("c", "e"))]
    # Its default route stays where it was: what goes out by that would have another source.
    loops += [shell_loop(net, script.replace("--gw-priority 1", ""), "client", *pair) for pair in (("b", "d"), ("c", "e"))]
    for loop in loops:
        output, error = loop.communicate(timeout=250)
        assert (loop.returncode, output, error) == (0, "", "")
    flowed = flowing.communicate(b"\n", timeout=60)
    assert flowed[0].split()[-2:] == [b"unanswered", b"0"], flowed
    assert talk.communicate(b"\n", timeout=60)[0] == b"talked\n"
    visitor = "import socket; print(socket.create_connection(('203.0.113.2', 7777), 20).recv(99).decode(), end='')"
    assert net.host.run("python3", "-c", visitor, where=net.host.outside) == "::ffff:203.0.113.1\n"
    same_hub(net, before[0])
    assert (registered(net), leases(net), listening(net)) == before[1:4]
    no_more_descriptors(net, before[4])
    for name in ("one", "two", "client"):
        assert net.inside(name, "ls", "/sys/class/net").split() == ["eth0", "lo"], name
        assert "eth0" in net.inside(name, "ip", "route", "show", "default"), name
        assert net.reaches(name, "echo")
