"""Containers on networks of one's own, as users have them: names, addresses, isolation, connect and disconnect, ports."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.need import need

SLEEP = ("sleep", "600")


class Hub:
    """A store with networks and containers; all of them go at the end."""

    def __init__(self, rootless: Rootless, image: str) -> None:
        self.rootless = rootless
        self.image = image

    def run(self, name: str, *options: str, command: tuple[str, ...] = SLEEP) -> str:
        """Start a container in the background; its id."""
        return self.rootless("run", "-d", "--cap-add", "NET_RAW", "--name", name, *options, self.image, *command).stdout.strip()

    def inside(self, name: str, *command: str, status: int | None = 0) -> str:
        """What a command in the container prints."""
        return self.rootless("exec", name, *command, status=status).stdout

    def reaches(self, name: str, other: str) -> bool:
        """Whether a ping is answered."""
        return self.rootless("exec", name, "ping", "-c1", "-W2", other, status=None).status == 0

    def network(self, name: str) -> dict[str, Any]:
        """`network inspect`."""
        (found,) = json.loads(self.rootless("network", "inspect", name).stdout)
        return dict(found)

    def endpoint(self, name: str, network: str) -> dict[str, Any]:
        """What `inspect` says of the container on the network."""
        (found,) = json.loads(self.rootless("inspect", name).stdout)
        return dict(found["NetworkSettings"]["Networks"][network])

    def netd(self) -> list[int]:
        """The pids of this runtime directory's network helper."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                own = str(self.rootless.root).encode() in Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            if command.startswith(b"rootless: networks") and own:
                found.append(pid)
        return found

    def kill_netd(self) -> None:
        for pid in self.netd():
            with contextlib.suppress(ProcessLookupError):  # the two of them end together
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def hub(rootless: Rootless, busybox_image: str) -> Iterator[Hub]:
    need(bool(shutil.which("slirp4netns")), "slirp4netns is not installed")
    yield Hub(rootless, busybox_image)
    for name in rootless("ps", "-aq", status=None).lines:
        rootless("rm", "-f", name, status=None)
    rootless("network", "prune", "-f", status=None)


def test_names_and_addresses(hub: Hub) -> None:
    hub.rootless("network", "create", "--subnet", "10.89.7.0/24", "app")
    db = hub.run("db", "--network", "app", "--network-alias", "sql", "--hostname", "postgres")
    hub.run("web", "--network", "app", "--network-alias", "front", "--link", "db:store")
    hub.run("web2", "--network", "app", "--network-alias", "front", "--ip", "10.89.7.77", "--mac-address", "02:42:00:00:00:77")
    for word in ("db", "sql", "postgres", db[:12], "db.app", "store", "DB"):
        assert "10.89.7.2" in hub.inside("web", "nslookup", word), word
    assert hub.reaches("web", "db")
    answer = hub.inside("db", "nslookup", "front")
    assert "10.89.7.3" in answer
    assert "10.89.7.77" in answer
    assert hub.rootless("exec", "web2", "nslookup", "store", status=None).status != 0, "a link is the linking container's alone"
    assert "02:42:00:00:00:77" in hub.inside("web2", "cat", "/sys/class/net/eth0/address")
    assert hub.inside("web", "cat", "/etc/resolv.conf").splitlines()[-1].startswith("options ")
    assert "nameserver 127.0.0.11\n" in hub.inside("web", "cat", "/etc/resolv.conf")
    assert "10.89.7.2\tpostgres db\n" in hub.inside("db", "cat", "/etc/hosts")
    assert "default via 10.89.7.1 dev eth0" in hub.inside("web", "ip", "route")
    endpoint = hub.endpoint("db", "app")
    assert (endpoint["IPAddress"], endpoint["IPPrefixLen"], endpoint["Gateway"]) == ("10.89.7.2", 24, "10.89.7.1")
    assert endpoint["DNSNames"] == ["db", "sql", db[:12], "postgres"]
    assert endpoint["Aliases"] == ["sql"]
    network = hub.network("app")
    assert network["Containers"][db]["IPv4Address"] == "10.89.7.2/24"
    assert {each["Name"] for each in network["Containers"].values()} == {"db", "web", "web2"}
    assert sorted(hub.rootless("ps", "--filter", "network=app", "--format", "{{.Names}} {{.Networks}}").lines) == [
        "db app", "web app", "web2 app"
    ]  # fmt: skip
    taken = hub.rootless("run", "--rm", "--network", "app", "--ip", "10.89.7.77", hub.image, "true", status=125)
    assert "Address already in use" in taken.stderr
    outside = hub.rootless("run", "--rm", "--network", "app", "--ip", "10.0.0.9", hub.image, "true", status=125)
    assert outside.stderr.startswith("rootless: no configured subnet contains IP address 10.0.0.9\n")
    busy = hub.rootless("network", "rm", "app", status=1)
    assert f'network app has active endpoints (name:"db" id:"{db[:12]}"' in busy.stderr
    # A restart gives names back, and the address is free when nobody has it any more.
    hub.rootless("restart", "-t", "0", "db")
    assert hub.reaches("web", "sql")
    hub.rootless("rm", "-f", "web2")
    assert hub.rootless("run", "--rm", "--network", "app", "--ip", "10.89.7.77", hub.image, "hostname", "-i").stdout.strip().endswith("77")


def test_two_networks_are_apart(hub: Hub) -> None:
    hub.rootless("network", "create", "a")
    hub.rootless("network", "create", "b")
    hub.rootless("network", "create", "--internal", "inner")
    hub.run("one", "--network", "a")
    hub.run("two", "--network", "b")
    hub.run("both", "--network", "a", "--network", "name=b,alias=zwei,gw-priority=1", "--network", "inner")
    hub.run("alone", "--network", "inner")
    other = hub.endpoint("two", "b")["IPAddress"]
    assert not hub.reaches("one", other)
    assert hub.rootless("exec", "one", "nslookup", "two", status=None).status != 0
    assert hub.reaches("both", "one")
    assert hub.reaches("both", "two")
    assert hub.reaches("two", "zwei")
    assert hub.reaches("both", "alone")
    assert "default via " + hub.network("b")["IPAM"]["Config"][0]["Gateway"] in hub.inside("both", "ip", "route")
    assert "default" not in hub.inside("alone", "ip", "route")
    assert hub.rootless("exec", "alone", "nslookup", "example.com", status=None).status != 0
    assert sorted(hub.inside("both", "ls", "/sys/class/net").split()) == ["eth0", "eth1", "eth2", "lo"]


def test_connect_and_disconnect(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.rootless("network", "create", name)
    hub.run("one", "--network", "a")
    hub.run("two", "--network", "b")
    hub.rootless("create", "--cap-add", "NET_RAW", "--name", "later", "--network", "a", hub.image, *SLEEP)
    hub.rootless("network", "connect", "--alias", "eins", "b", "one")
    assert hub.reaches("two", "eins")
    assert hub.reaches("one", "two")
    assert "eth1" in hub.inside("one", "ls", "/sys/class/net")
    assert hub.endpoint("one", "b")["IPAddress"] in hub.inside("one", "cat", "/etc/hosts")
    again = hub.rootless("network", "connect", "b", "one", status=1)
    assert again.stderr == "rootless: endpoint with name one already exists in network b\n"
    hub.rootless("network", "connect", "b", "later")
    hub.rootless("start", "later")
    assert hub.reaches("two", "later")
    # The default route goes with its network, and comes by the next one.
    hub.rootless("network", "disconnect", "a", "one")
    assert hub.inside("one", "ls", "/sys/class/net").split() == ["eth1", "lo"]
    assert "default via " + hub.network("b")["IPAM"]["Config"][0]["Gateway"] in hub.inside("one", "ip", "route")
    assert hub.reaches("two", "one")
    assert not hub.network("a")["Containers"].keys() - {hub.rootless("inspect", "-f", "{{.Id}}", "later").stdout.strip()}
    missing = hub.rootless("network", "disconnect", "a", "one", status=1)
    assert "is not connected to network a\n" in missing.stderr
    # It has the address that it had, and "two" the hardware address of that in its memory.
    hub.rootless("restart", "-t", "0", "one")
    assert hub.reaches("two", "eins")
    assert hub.endpoint("one", "b")["MacAddress"] == "02:42:" + bytes(map(int, hub.endpoint("one", "b")["IPAddress"].split("."))).hex(":")
    hub.rootless("rm", "-f", "one", "two", "later")
    leases = hub.rootless.root / "networks/leases"
    ids = hub.rootless("network", "inspect", "-f", "{{.Id}}", "a", "b").lines
    assert all(list((leases / each).glob("[0-9]*")) for each in ids), "a lease is nobody's to tidy"
    assert hub.rootless("network", "prune", "-f").stdout == "Deleted Networks:\na\nb\n\n"
    assert not any((leases / each).exists() for each in ids)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetched(port: int) -> bytes:
    """What the server behind a published port says, once it is there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return bytes(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_published_ports(hub: Hub) -> None:
    hub.rootless("network", "create", "app")
    port = free_port()
    serve = ("sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
    hub.run("web", "--network", "app", "-p", f"{port}:80", command=serve)
    assert fetched(port) == b"hello\n"
    assert hub.rootless("port", "web").lines == [f"80/tcp -> 0.0.0.0:{port}", f"80/tcp -> [::]:{port}"]
    assert f"0.0.0.0:{port}->80/tcp, [::]:{port}->80/tcp" in hub.rootless("ps", "--format", "{{.Ports}}").stdout
    taken = hub.rootless("run", "--rm", "--network", "app", "-p", f"{port}:80", hub.image, "true", status=125)
    assert f"Bind for 0.0.0.0:{port} failed: port is already allocated" in taken.stderr
    assert "container web has it" in taken.stderr
    hub.rootless("restart", "-t", "0", "web")
    assert fetched(port) == b"hello\n"


def test_a_thousand_ports(hub: Hub) -> None:
    """They are one rule and one run of descriptors, and other commands of the user have descriptors to send and to open."""
    hub.rootless("network", "create", "app")
    hub.rootless("network", "create", "other")
    first = 21000
    hub.run("many", "--network", "app", "-p", f"{first}-{first + 999}:1000-1999")
    assert len(hub.rootless("port", "many").lines) == 2000
    hub.rootless("run", "--rm", "--network", "app", hub.image, "nslookup", "many")
    hub.rootless("network", "connect", "other", "many")
    hub.rootless("exec", "-d", "many", "nc", "-l", "-p", "1999", "-e", "echo", "yes")
    with socket.create_connection(("127.0.0.1", first + 999), timeout=10) as connection:
        assert connection.recv(100) == b"yes\n"
    hub.rootless("rm", "-f", "many")
    with socket.socket() as again:
        again.bind(("127.0.0.1", first + 500))


def test_connections_outwards(hub: Hub) -> None:
    """To a server of the host, by its own address: what connect() says is true, also of a port that nobody listens at."""
    hub.rootless("network", "create", "app")
    assert hub.network("app")["Outgoing"] == ""
    hub.run("one", "--network", "app")
    assert hub.endpoint("one", "app")["Outgoing"] == hub.network("app")["Outgoing"] == "gate"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        here = str(probe.getsockname()[0])
    with socket.create_server((here, 0)) as server:
        port = server.getsockname()[1]
        client = hub.rootless.start("exec", "-i", "one", "nc", "-w", "10", here, str(port))
        server.settimeout(30)
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"hello\n")
        assert client.communicate(timeout=30)[0] == b"hello\n"
    refused = hub.rootless("exec", "one", "nc", "-w", "10", here, str(port), status=1)
    assert "Connection refused" in refused.stderr
    for loopback in ("127.0.0.1", hub.network("app")["IPAM"]["Config"][0]["Gateway"]):
        with socket.create_server(("127.0.0.1", 0)) as own:
            failed = hub.rootless("exec", "one", "nc", "-w", "3", loopback, str(own.getsockname()[1]), status=1)
            assert "Connection refused" in failed.stderr, "the host's loopback is out of reach"


def test_links_of_a_start(hub: Hub) -> None:
    hub.rootless("network", "create", "--ipv6", "-o", "com.docker.network.driver.mtu=1280", "app")
    options = ("--hostname", "näme", "--add-host", "up:host-gateway")
    hub.run("one", "--network", "name=app,driver-opt=com.docker.network.endpoint.ifname=lan0", *options)
    assert sorted(hub.inside("one", "ls", "/sys/class/net").split()) == ["lan0", "lo"]
    assert hub.inside("one", "cat", "/sys/class/net/lan0/mtu") == "1280\n"
    assert "\tup\n" in hub.inside("one", "cat", "/etc/hosts")
    assert hub.endpoint("one", "app")["DNSNames"][0] == "one"
    assert hub.inside("one", "nslookup", "one").count("Address") == 3
    shares = hub.rootless("run", "--rm", "--network", "container:one", hub.image, "ls", "/sys/class/net").stdout.split()
    assert sorted(shares) == ["lan0", "lo"]
    none = hub.rootless("create", "--name", "lonely", "--network", "none", hub.image, *SLEEP)
    assert none.status == 0
    refused = hub.rootless("network", "connect", "app", "lonely", status=1)
    assert "networks in private (none) mode" in refused.stderr
    hub.rootless("create", "--name", "slirp", "--network", "slirp4netns", hub.image, *SLEEP)
    assert "of slirp4netns cannot be connected" in hub.rootless("network", "connect", "app", "slirp", status=1).stderr
    assert hub.rootless("network", "disconnect", "app", "slirp", status=1).stderr.endswith("is not connected to network app\n")
    assert hub.rootless("network", "disconnect", "-f", "app", "nobody").stdout == ""


