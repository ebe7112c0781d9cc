"""Hundreds of connects and disconnects, hundreds of starts, and kills in the midst of them: all works, and nothing stale is left."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from random import Random

from rootless.network.hub import netd
from tests.harness.own_host import FAR, HOST
from tests.harness.processes import wait_until
from tests.system import socket_ways, traffic
from tests.system.own_net import LIMIT, Net, net
from tests.system.test_hub_networks import Hub, hub
from tests.system.test_network_churn import TALK, in_hub, pids

__all__ = ["hub", "net"]
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


STARTS = """
first=$1 image=$2; shift 2
for n in $(seq $first $(($first + {each} - 1))); do
    rootless run -d --pull never --name c$n --network app "$@" $image sleep 600 >/dev/null || echo $n
done"""


def start_many(hub: Hub, starters: int, each: int, *options: str) -> list[subprocess.Popen[str]]:
    """That many processes, each of which starts so many containers on `app`, and says the numbers of those that failed."""
    script = STARTS.format(each=each)
    return [shell_loop(hub, script, str(1 + number * each), hub.image, *options) for number in range(starters)]


def end_all_but(hub: Hub, name: str) -> None:
    """Remove the containers, a hundred in one command."""
    running = [each for each in hub.rootless("ps", "-a", "--format", "{{.Names}}").lines if each != name]
    for start in range(0, len(running), 100):
        hub.rootless("rm", "-f", "-t", "0", *running[start : start + 100], timeout=200)


def test_two_hundred_starts_at_once(hub: Hub) -> None:
    """On one network: each has an address and a name of its own, and nothing is left of them."""
    hub.rootless("network", "create", "app")
    hub.run("stays", "--network", "app")
    before = in_hub(hub), registered(hub), descriptors(hub)
    for starter in start_many(hub, 10, 20):
        output, error = starter.communicate(timeout=280)
        assert (starter.returncode, output, error) == (0, "", "")
    there = hub.network("app")["Containers"]
    addresses = {each["Name"]: each["IPv4Address"].partition("/")[0] for each in there.values()}
    assert len(set(addresses.values())) == len(addresses) == 201
    assert len(registered(hub)) == 201
    ask = "for n in $(seq 200); do nslookup -type=a c$n | sed -n 's/^Address: //p'; done"
    assert hub.inside("c7", "sh", "-c", ask).split() == [addresses[f"c{number}"] for number in range(1, 201)]
    assert hub.reaches("stays", "c200")
    hub.rootless("stop", "-t", "0", "c1", "c200")
    assert hub.rootless("exec", "c7", "nslookup", "c200", status=None).status != 0
    end_all_but(hub, "stays")
    same_hub(hub, before[0])
    assert registered(hub) == before[1]
    no_more_descriptors(hub, before[2])
    # All addresses are to be had again.
    again = hub.run("again", "--network", "app")
    assert hub.network("app")["Containers"][again]["IPv4Address"].partition("/")[0] in addresses.values()


VICTIMS = ("slirp4netns", "rootless: networks", "rootless: session")
STARTERS, EACH = 8, 5
# By name to a neighbour, by the gate, and by the uplink; each has the answer in it.
EVERYTHING = f"getent hosts stays; nc -w9 -N {FAR[0]} 7 </dev/null; echo x | socat -T9 - UDP4:{FAR[0]}:7"


def test_kills_while_many_start(net: Net) -> None:
    """Of the uplink, netd and the session's holder, at any moment. A start works or says what it lacked; who runs has all of
    the network in the end."""
    net.host.internet_servers()
    net.rootless("network", "create", "app")
    net.run("stays", "--network", "app")
    address = net.endpoint("stays", "app")["IPAddress"]
    wanted = f"{address}      stays\n{HOST[0]}\n{HOST[0]}\n"
    assert net.rootless("exec", "stays", "bash", "-c", EVERYTHING).stdout.endswith(f"stays\n{HOST[0]}\n{HOST[0]}\n")
    before = in_hub(net), registered(net), descriptors(net)
    starters = start_many(net, STARTERS, EACH)
    random, killed = Random(11), Counter[str]()
    for victim in cycle(VICTIMS):
        time.sleep(random.uniform(0.05, 0.8))
        if all(starter.poll() is not None for starter in starters):
            break
        for pid in pids(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed[victim] += 1
    assert set(killed) == set(VICTIMS), killed
    failed: set[str] = set()
    for starter in starters:
        output, error = starter.communicate(timeout=60)
        assert starter.returncode == 0
        said = [line for line in error.splitlines() if not line.startswith("hint: ")]
        assert all(line.startswith("rootless: ") for line in said), error
        assert len(said) == len(output.split()), error
        failed |= {f"c{number}" for number in output.split()}
    running = set(net.rootless("ps", "--format", "{{.Names}}").lines)
    assert running == {"stays", *(f"c{number}" for number in range(1, STARTERS * EACH + 1))} - failed
    for name in sorted(running - {"stays"}):
        wait_until(
            lambda: net.rootless("exec", name, "bash", "-c", EVERYTHING, status=None).stdout == wanted,  # noqa: B023
            f"the network of {name}",
        )
    assert len(registered(net)) == len(running)
    assert len(net.network("app")["Containers"]) == len(running)
    end_all_but(net, "stays")
    assert net.rootless("ps", "-aq").lines == net.rootless("ps", "-q").lines
    same_hub(net, before[0])
    assert registered(net) == before[1]
    no_more_descriptors(net, before[2])
    wait_until(lambda: all(len(pids(victim)) == (2 if victim == "rootless: networks" else 1) for victim in VICTIMS), "one of each")
