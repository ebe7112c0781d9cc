"""Pods on networks of one's own: one address, found by the names of the pod and of all containers in it."""

from __future__ import annotations

import json
from typing import Any

from tests.harness.pods import Pods


def address(pods: Pods, name: str) -> str:
    """What the container `outside` finds under the name; "" for nothing."""
    found = pods.rootless("exec", "outside", "nslookup", name, status=None)
    lines = [line for line in found.stdout.splitlines() if line.startswith("Address:") and ":53" not in line]
    return lines[0].split()[1] if found.status == 0 and lines else ""


def outside(pods: Pods, *options: str) -> None:
    pods.rootless("run", "-d", "--init", "--name", "outside", "--network", "front", *options, pods.image, "sleep", "1000")


def test_names(pods: Pods) -> None:
    pods.rootless("network", "create", "--subnet", "10.89.30.0/24", "front")
    pods.create("app", "--network", "front", "--network-alias", "service", "--ip", "10.89.30.30", "--hostname", "host")
    pods.run("app", "one")
    outside(pods)
    infra = pods.infra("app")
    for name in ("app", "one", "service", "host", infra[:12], f"{pods.inspect('app')['Id'][:12]}-infra"):
        assert address(pods, name) == "10.89.30.30", name
    # Those who come, go and are renamed while it runs.
    assert address(pods, "two") == ""
    pods.run("app", "two", command=("httpd", "-f", "-p", "80", "-h", "/etc"))
    assert address(pods, "two") == "10.89.30.30"
    assert pods.rootless("exec", "outside", "wget", "-qO-", "http://two/hostname").stdout == "host\n"
    assert pods.inside("one", "wget", "-qO-", "http://two/hostname") == "host\n"
    pods.rootless("rename", "two", "second")
    assert (address(pods, "two"), address(pods, "second")) == ("", "10.89.30.30")
    assert "127.0.0.1\tsecond\n" in pods.inside("one", "cat", "/etc/hosts")
    assert "\ttwo\n" not in pods.inside("one", "cat", "/etc/hosts")
    pods.rootless("rm", "-f", "second")
    assert address(pods, "second") == ""
    # A pod finds others as they find it, and has one address.
    assert "10.89.30" in pods.inside("one", "nslookup", "outside")
    (network,) = json.loads(pods.rootless("network", "inspect", "front").stdout)
    assert sorted(user["IPv4Address"] for user in network["Containers"].values())[-1] == "10.89.30.30/24"
    assert len(network["Containers"]) == 2
    assert pods.rootless("pod", "ps", "--format", "{{.Networks}}").lines == ["front"]


def test_connect_and_disconnect(pods: Pods) -> None:
    """The pod's networks are its infra's."""
    pods.rootless("network", "create", "front")
    pods.rootless("network", "create", "back")
    pods.create("app", "--network", "back")
    pods.run("app", "one")
    outside(pods)
    assert address(pods, "one") == ""
    refused = pods.rootless("network", "connect", "front", "one", status=1).stderr
    assert "container sharing network namespace with another container" in refused
    pods.rootless("network", "connect", "front", pods.infra("app"))
    found = address(pods, "one")
    assert found != ""
    assert found in pods.inside("one", "ip", "addr")
    pods.run("app", "two")
    assert address(pods, "two") == found
    pods.rootless("network", "disconnect", "front", pods.infra("app"))
    assert address(pods, "one") == ""
    pods.rootless("pod", "restart", "app")
    assert pods.status("app") == "Running"


def test_networks_and_addresses_of_pods(pods: Pods) -> None:
    """The long form, several networks, and what is refused."""
    pods.rootless("network", "create", "--subnet", "10.89.31.0/24", "front")
    pods.rootless("network", "create", "--subnet", "10.89.32.0/24", "back")
    pods.create("app", "--network", "name=front,ip=10.89.31.77,alias=x", "--network", "back", "--mac-address", "02:42:00:00:00:31")
    pods.run("app", "one")
    found = pods.inside("one", "ip", "-4", "addr")
    assert "10.89.31.77/24" in found
    assert "10.89.32.2/24" in found
    assert "02:42:00:00:00:31" in pods.inside("one", "cat", "/sys/class/net/eth0/address")
    assert pods.inspect("app")["InfraConfig"]["Networks"] == ["back", "front"]
    refusals: dict[tuple[str, ...], str] = {
        ("--network", "nosuch"): "network nosuch not found",
        ("--network", "none", "-p", "80:80"): "PortMappings can only be used with Bridge or slirp4netns networking",
        ("--infra=false", "-p", "80:80"): "you must have an infra container to publish port bindings to the host",
        ("--infra=false", "--network", "none"): "NoInfra and network modes cannot be used together",
        ("--infra=false", "--share", "net"): "cannot set share(net) namespaces without an infra container",
        ("--network", "front", "--ip", "10.99.0.1"): "10.99.0.1",
        ("--share", "ipc", "-p", "80:80"): "--publish is about a network that the containers of the pod do not share",
    }
    for words, message in refusals.items():
        assert message in pods.rootless("pod", "create", "--name", "refused", *words, status=125).stderr, words
    pods.rootless("pod", "exists", "refused", status=1)
    assert infras(pods) == ["app"]


def infras(pods: Pods) -> list[Any]:
    return pods.rootless("ps", "-a", "--filter", "name=infra", "--format", "{{.PodName}}").lines
