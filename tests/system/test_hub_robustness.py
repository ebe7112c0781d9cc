"""Networks under kills, restarts, many at once, and traffic that flows meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.system.test_hub_networks import SLEEP, Hub, hub
from tests.system.test_network_churn import pids

__all__ = ["hub"]

INSTANTS = [0.02 * step for step in range(1, 13)]


def interfaces(hub: Hub, name: str) -> list[str]:
    return hub.inside(name, "ls", "/sys/class/net").split()


def killed(rootless: Rootless, after_s: float, *words: str) -> None:
    """Start a command and SIGKILL it at this instant of its life."""
    process = subprocess.Popen(
        [*rootless.argv, *words], env=rootless.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after_s)
    process.kill()
    process.wait()


def test_a_killed_connect_or_disconnect_is_finished_by_the_same_command(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.rootless("network", "create", "--internal", name)
    hub.run("one", "--network", "a")
    hub.run("two", "--network", "b")
    for after_s in INSTANTS:
        killed(hub.rootless, after_s, "network", "connect", "--alias", "eins", "b", "one")
        hub.rootless("network", "connect", "--alias", "eins", "b", "one", status=None)
        assert interfaces(hub, "one") == ["eth0", "eth1", "lo"], after_s
        address = hub.endpoint("one", "b")["IPAddress"]
        assert address in hub.inside("one", "ip", "-4", "addr", "show", "eth1")
        assert address in hub.inside("two", "nslookup", "eins")
        assert hub.inside("one", "cat", "/etc/hosts").count(address) == 1
        killed(hub.rootless, after_s, "network", "disconnect", "b", "one")
        hub.rootless("network", "disconnect", "b", "one", status=None)
        assert interfaces(hub, "one") == ["eth0", "lo"], after_s
        assert address not in hub.inside("one", "cat", "/etc/hosts")
        assert hub.rootless("exec", "two", "nslookup", "eins", status=None).status != 0
    assert len(hub.network("b")["Containers"]) == 1


def test_killed_starts_leave_no_lease_and_no_name(hub: Hub) -> None:
    hub.rootless("network", "create", "--internal", "--subnet", "10.89.9.0/29", "small")
    hub.run("stays", "--network", "small")
    for number, after_s in enumerate(INSTANTS):
        killed(hub.rootless, after_s, "run", "--rm", "--name", f"k{number}", "--network", "small", hub.image, *SLEEP)
    for name in hub.rootless("ps", "-aq", "--filter", "name=^k").lines:
        hub.rootless("rm", "-f", name, status=None)
    # Five addresses for containers: all but the one in use are to be had again.
    for number in range(4):
        hub.run(f"n{number}", "--network", "small")
    full = hub.rootless("run", "--rm", "--network", "small", hub.image, "true", status=125)
    assert "no available IPv4 addresses on this network's address pools: small" in full.stderr
    assert sorted(each["IPv4Address"] for each in hub.network("small")["Containers"].values()) == [
        f"10.89.9.{last}/29" for last in range(2, 7)
    ]
    assert hub.rootless("exec", "stays", "nslookup", "k3", status=None).status != 0


def test_twenty_at_once(hub: Hub) -> None:
    hub.rootless("network", "create", "--internal", "app")
    running = [
        hub.rootless.start("run", "-d", "--name", f"c{at}", "--network", "app", hub.image, *SLEEP) for at in range(20)
    ]
    for process in running:
        _, error = process.communicate(timeout=100)
        assert process.returncode == 0, error
    addresses = {each["IPv4Address"] for each in hub.network("app")["Containers"].values()}
    assert len(addresses) == 20
    for at in (1, 7, 20):
        assert hub.endpoint(f"c{at - 1}", "app")["IPAddress"] in hub.inside("c0", "nslookup", f"c{at - 1}")


def test_traffic_flows_while_networks_come_and_go(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.rootless("network", "create", name)
    hub.run("one", "--network", "a")
    hub.run("two", "--network", "a")
    ping = hub.rootless.start("exec", "one", "ping", "-c", "40", "-i", "0.1", "-q", "two")
    for _ in range(5):
        hub.rootless("network", "connect", "b", "one")
        hub.rootless("network", "disconnect", "b", "one")
    output, _ = ping.communicate(timeout=60)
    assert b"40 packets transmitted, 40 packets received, 0% packet loss" in output


def test_neighbours_find_a_container_that_was_started_again(hub: Hub) -> None:
    """It has its address again, and with another hardware address packets would go to the old one for ten seconds."""
    hub.rootless("network", "create", "app")
    hub.run("one", "--network", "app")
    hub.run("two", "--network", "app")
    address = hub.endpoint("two", "app")["IPAddress"]
    known = [hub.inside("one", "ping", "-c", "1", "-q", "two"), hub.inside("one", "arp", "-n")]
    assert hub.endpoint("two", "app")["MacAddress"] in known[1]
    hub.rootless("restart", "-t", "0", "two")
    assert hub.endpoint("two", "app")["IPAddress"] == address
    assert hub.endpoint("two", "app")["MacAddress"] in hub.inside("one", "arp", "-n"), "nobody has asked since"


def test_a_renamed_container(hub: Hub) -> None:
    hub.rootless("network", "create", "--internal", "app")
    hub.run("one", "--network", "app")
    hub.run("two", "--network", "app")
    hub.rootless("rename", "two", "zwei")
    assert hub.endpoint("zwei", "app")["IPAddress"] in hub.inside("one", "nslookup", "zwei")
    assert hub.rootless("exec", "one", "nslookup", "two", status=None).status != 0
    assert "zwei" in hub.inside("zwei", "cat", "/etc/hosts")
    assert " two\n" not in hub.inside("zwei", "cat", "/etc/hosts")


@pytest.mark.parametrize("family", ["both", "only6"])
def test_ipv6(hub: Hub, family: str) -> None:
    hub.rootless("network", "create", "--ipv6", f"--ipv4={str(family == 'both').lower()}", "--subnet", "fd77:1::/64", "six")
    hub.run("one", "--network", "six", "--ip6", "fd77:1::77")
    hub.run("two", "--network", "six")
    assert "fd77:1::77" in hub.inside("two", "nslookup", "-type=aaaa", "one")
    assert hub.reaches("two", "fd77:1::77")
    endpoint = hub.endpoint("one", "six")
    assert (endpoint["GlobalIPv6Address"], endpoint["GlobalIPv6PrefixLen"], endpoint["IPv6Gateway"]) == ("fd77:1::77", 64, "fd77:1::1")
    assert bool(endpoint["IPAddress"]) is (family == "both")
    assert "default via fd77:1::1 dev eth0" in hub.inside("one", "ip", "-6", "route")


def test_a_killed_netd_is_replaced(hub: Hub) -> None:
    hub.rootless("network", "create", "--internal", "app")
    hub.run("one", "--network", "app")
    hub.run("two", "--network", "app")
    socket = hub.rootless.sockets / "netd.sock"
    before = socket.stat().st_ino
    hub.kill_netd()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (not socket.exists() or socket.stat().st_ino == before):
        time.sleep(0.05)
    while time.monotonic() < deadline and hub.rootless("exec", "one", "nslookup", "two", status=None).status != 0:
        time.sleep(0.1)
    assert hub.endpoint("two", "app")["IPAddress"] in hub.inside("one", "nslookup", "two")
    assert hub.endpoint("one", "app")["IPAddress"] in hub.inside("two", "nslookup", "one")

def test_netd_is_replaced_where_the_sessions_holder_is_gone_as_well(hub: Hub) -> None:
    """The repair is in the session, where no holder can be started: the monitor has the hub."""
    hub.rootless("network", "create", "app")
    hub.run("one", "--network", "app")
    hub.run("two", "--network", "app")
    address = hub.endpoint("two", "app")["IPAddress"]
    for holder in pids("rootless: session"):
        os.kill(holder, signal.SIGKILL)
    hub.kill_netd()
    # `exec` starts no holder either.
    wait_until(lambda: address in hub.rootless("exec", "one", "nslookup", "two", status=None).stdout, "the resolver")
