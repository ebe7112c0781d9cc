"""The default network: a bridge as Docker's, without names; what stands in for it where none can be made."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_hub_networks import SLEEP, Hub, fetched, free_port, hub

__all__ = ["hub"]

EVERYTHING = ("172.16.0.0/12", "192.168.0.0/16")
"""What Docker's pools are in."""


def networks(hub: Hub, name: str) -> dict[str, Any]:
    (found,) = json.loads(hub.rootless("inspect", name).stdout)
    return dict(found["NetworkSettings"])


def test_containers_are_neighbours_without_names(hub: Hub) -> None:
    hub.run("one", "--hostname", "first")
    hub.run("two", "--network", "bridge")
    hub.run("three", "--network", "default", "--mac-address", "02:42:00:00:00:33")
    addresses = [hub.endpoint(name, "bridge")["IPAddress"] for name in ("one", "two", "three")]
    assert len(set(addresses)) == 3
    assert all(hub.reaches("one", address) for address in addresses)
    for word in ("two", hub.rootless("inspect", "-f", "{{.Id}}", "two").stdout[:12]):
        assert hub.rootless("exec", "one", "nslookup", word, status=None).status != 0, word
    assert f"{addresses[0]}\tfirst one\n" in hub.inside("one", "cat", "/etc/hosts")
    assert hub.inside("three", "cat", "/sys/class/net/eth0/address") == "02:42:00:00:00:33\n"
    shown = hub.rootless("inspect", "-f", "{{.NetworkSettings.IPAddress}} {{.HostConfig.NetworkMode}}", "one")
    assert shown.stdout == f"{addresses[0]} bridge\n"
    assert {each["Name"] for each in hub.network("bridge")["Containers"].values()} == {"one", "two", "three"}
    assert sorted(hub.rootless("ps", "--filter", "network=bridge", "--format", "{{.Names}}").lines) == ["one", "three", "two"]
    assert "networks" not in hub.rootless("network", "rm", "bridge", status=1).stdout


def test_the_hosts_names_are_asked_for_as_the_host_asks(hub: Hub) -> None:
    """By the resolver in its namespace, which knows no container here; nothing is put before the host's search list."""
    text = hub.rootless("run", "--rm", hub.image, "cat", "/etc/resolv.conf").stdout
    assert [line for line in text.splitlines() if line.startswith("nameserver")] == ["nameserver 127.0.0.11"]
    host = Path("/etc/resolv.conf").read_text().split()
    assert ("ndots:0" in text) == ("ndots:0" in host)
    hub.rootless("network", "create", "app")
    assert "ndots:0" in hub.rootless("run", "--rm", "--network", "app", hub.image, "cat", "/etc/resolv.conf").stdout


def test_what_docker_refuses_there(hub: Hub) -> None:
    for option, words in (
        (("--ip", "172.17.0.9"), "user-specified IP address is supported on user-defined networks only"),
        (("--network-alias", "web"), "network-scoped aliases are only supported for user-defined networks"),
        (("--network", "bridge", "--network", "app"), "cannot attach both user-defined and non-user-defined network-modes"),
    ):
        refused = hub.rootless("run", "--rm", *option, hub.image, "true", status=125)
        assert words in refused.stderr, option


def test_it_can_be_joined_and_left_like_any_other(hub: Hub) -> None:
    hub.rootless("network", "create", "app")
    hub.run("one")
    hub.run("db", "--network", "app")
    hub.rootless("network", "connect", "app", "one")
    assert hub.reaches("one", "db")
    hub.rootless("network", "disconnect", "bridge", "one")
    assert hub.inside("one", "ls", "/sys/class/net").split() == ["eth1", "lo"]
    assert hub.reaches("one", "db")
    hub.rootless("network", "connect", "bridge", "db")
    address = hub.endpoint("db", "bridge")["IPAddress"]
    hub.run("two")
    assert hub.reaches("two", address)
    assert not hub.reaches("two", "db")


def test_ports_and_the_host(hub: Hub) -> None:
    port = free_port()
    serve = ("sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
    hub.run("web", "-p", f"{port}:80", command=serve)
    assert fetched(port) == b"hello\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        here = str(probe.getsockname()[0])
    options = ("--add-host", "up:host-gateway")
    text = hub.rootless("run", "--rm", *options, hub.image, "cat", "/etc/hosts").stdout
    assert f"{here}\thost.docker.internal\n" in text
    assert f"{here}\tup\n" in text
    # From one container to a published port of another, by the host.
    request = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {here} {port}"
    for _ in range(2):
        assert hub.rootless("run", "--rm", hub.image, "sh", "-c", request).stdout.endswith("hello\n")
    hub.kill_netd()
    assert hub.rootless("run", "--rm", hub.image, "sh", "-c", request).stdout.endswith("hello\n")


def test_two_data_roots_have_bridges_of_their_own(hub: Hub, tmp_path: Path) -> None:
    other = ("--root", str(tmp_path / "other"))
    archive = tmp_path / "image.tar"
    hub.rootless("save", "-o", archive, hub.image)
    hub.rootless(*other, "load", "-i", archive)
    hub.run("one")
    try:
        hub.rootless(*other, "run", "-d", "--name", "two", hub.image, *SLEEP)
        mine = hub.network("bridge")["IPAM"]["Config"][0]["Subnet"]
        (theirs,) = json.loads(hub.rootless(*other, "network", "inspect", "bridge").stdout)
        assert theirs["IPAM"]["Config"][0]["Subnet"] != mine
        address = hub.rootless(*other, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "two").stdout.strip()
        assert address
        assert not hub.reaches("one", address)
    finally:
        hub.rootless(*other, "rm", "-f", "two", status=None)


@pytest.mark.own_store
def test_where_no_bridge_can_be_had_it_is_slirp4netns(hub: Hub) -> None:
    """Of the default network alone: who names a network gets that one or an error."""
    for number, subnet in enumerate(EVERYTHING):
        hub.rootless("network", "create", "--subnet", subnet, f"n{number}")
    port = free_port()
    serve = ("sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
    hub.run("web", "-p", f"{port}:80", command=serve)
    assert fetched(port) == b"hello\n"
    shown = networks(hub, "web")["Networks"]["bridge"]
    assert shown["InsteadOfBridge"].startswith("the default network has no addresses: all predefined address pools")
    assert shown["IPAddress"] == "10.0.2.100"
    assert "nameserver 10.0.2.3\n" in hub.inside("web", "cat", "/etc/resolv.conf")
    assert "10.0.2.100\t" in hub.inside("web", "cat", "/etc/hosts")
    assert hub.rootless("port", "web").lines[0] == f"80/tcp -> 0.0.0.0:{port}"
    assert "in place of the bridge" in hub.rootless("network", "connect", "n0", "web", status=1).stderr
    named = hub.rootless("run", "--rm", "--network", "bridge", hub.image, "true", status=125)
    assert "all predefined address pools have been fully subnetted" in named.stderr
    hub.rootless("network", "rm", "n0", "n1")
    hub.rootless("restart", "-t", "0", "web")
    assert hub.endpoint("web", "bridge")["IPAddress"].startswith("172.")
    assert fetched(port) == b"hello\n"


def test_a_container_of_before(hub: Hub) -> None:
    """Its record names no network of the hub: it goes on as it was created."""
    hub.rootless("create", "--name", "old", "-p", f"{free_port()}:80", hub.image, *SLEEP)
    identifier = hub.rootless("inspect", "-f", "{{.Id}}", "old").stdout.strip()
    config = hub.rootless.root / "containers" / identifier / "config.json"
    record = json.loads(config.read_text())
    del record["network"]["networks"], record["network"]["default"]
    config.write_text(json.dumps(record))
    hub.rootless("start", "old")
    assert "tap0" in hub.inside("old", "ls", "/sys/class/net")
    assert networks(hub, "old")["Networks"]["bridge"]["InsteadOfBridge"] == ""
    hub.rootless("restart", "-t", "0", "old")
    assert "tap0" in hub.inside("old", "ls", "/sys/class/net")


@pytest.mark.own_store
def test_what_has_no_bridge_starts_nothing_of_it(hub: Hub) -> None:
    for network in ("none", "host", "slirp4netns"):
        hub.rootless("run", "--rm", "--network", network, hub.image, "true")
    assert not (hub.rootless.sockets / "netd.sock").exists()
    assert not os.path.exists(hub.rootless.root / "networks/bridge.json")
