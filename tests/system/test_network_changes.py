"""A laptop that changes networks: other addresses, routes and name servers, while containers go on."""

from __future__ import annotations

import sys

from tests.harness.own_host import FAR, HOST, VISITORS
from tests.harness.processes import wait_until
from tests.system.own_net import LIMIT, Net, asked, net

__all__ = ["net"]
pytestmark = LIMIT

# A name server that answers all A questions with one address: python -c SERVER LISTEN ADDRESS
SERVER = """
import socket, sys
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, peer = made.recvfrom(4096)
    end = query.index(0, 12) + 5
    known = query[end - 4:end - 2] == bytes((0, 1))
    answer = bytes.fromhex("c00c000100010000000a0004") + socket.inet_aton(sys.argv[2]) if known else b""
    made.sendto(query[:2] + b"\\x81\\x80" + b"\\0\\1" + bytes((0, known)) + bytes(4) + query[12:end] + answer, peer)
"""
# Tells at port 70 who has connected.
WHO = """
import socket
server = socket.create_server(("10.200.0.1", 70))
print("ready", flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].encode())
    connection.close()
"""
# Another network with a router that is a resolver: as a second radio, or as a VPN's end.
SECOND = """\
link add wan1 type veth peer name eth1 netns {internet}
addr add 100.64.9.2/24 dev wan1
link set wan1 up
"""
SECOND_OUTSIDE = """\
addr add 100.64.9.1/24 dev eth1
addr add 10.200.0.1/32 dev lo
link set eth1 up
"""


def test_a_vpn_opens_and_closes(net: Net) -> None:
    """It brings a link, a route to what is behind it, and a name server; running containers have all three, and lose them."""
    host = net.host
    host.internet_servers()
    net.rootless("network", "create", "app")
    net.run("web", "--network", "app", "-p", "8080:80", command=("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80"))
    wait_until(lambda: net.rootless("exec", "web", "curl", "-sS", "http://web/", status=None).status == 0, "the web server")
    assert net.sh("web", "getent hosts intranet.example || echo none; curl -sS http://far.example/who") == f"none\n{HOST[0]}\n"
    long = net.rootless.start("exec", "-i", "web", "socat", "-t60", "-", f"TCP:{FAR[0]}:7")
    assert long.stdin is not None
    assert long.stdout is not None
    assert long.stdout.readline() == f"{HOST[0]}\n".encode()
    # What is behind it is nowhere yet.
    host.batch("route add unreachable 10.200.0.0/16\n")
    assert "No route to host" in net.rootless("exec", "web", "nc", "-vzw5", "10.200.0.1", "53", status=1).stderr
    host.batch(SECOND.format(internet=host.internet))
    host.batch(SECOND_OUTSIDE, where=host.outside)
    host.serve(sys.executable, "-c", SERVER, "10.200.0.1", "10.200.0.1", where=host.outside)
    host.serve(sys.executable, "-c", WHO, where=host.outside)
    host.batch("route replace 10.200.0.0/16 via 100.64.9.1\n")
    host.write("/etc/resolv.conf", "nameserver 10.200.0.1\n")
    assert net.sh("web", "getent hosts intranet.example; nc -N intranet.example 70") == "10.200.0.1      intranet.example\n100.64.9.2"
    # What was there is undisturbed.
    long.stdin.write(b"still\n")
    long.stdin.flush()
    assert long.stdout.readline() == b"still\n"
    assert "Directory listing" in asked(host, VISITORS[0], f"http://{HOST[0]}:8080/")
    # It closes, as an interface that is pulled: the old name server is there again.
    host.batch("link del wan1\n")
    host.batch("route add unreachable 10.200.0.0/16\n")
    host.write("/etc/resolv.conf", "nameserver 203.0.113.1\n")
    assert net.sh("web", "getent hosts intranet.example || echo none; dig +short far.example") == f"none\n{FAR[0]}\n"
    assert "No route to host" in net.rootless("exec", "web", "nc", "-vzw5", "10.200.0.1", "70", status=1).stderr
    long.stdin.close()
    assert long.wait(timeout=60) == 0



def test_another_network_altogether(net: Net) -> None:
    """The link goes and comes back with another address and router, as when a lid was closed at home and opened at work."""
    host = net.host
    host.internet_servers()
    net.rootless("network", "create", "--ipv6", "app")
    net.run("db", "--network", "app")
    net.run("web", "--network", "app", "-p", "8080:80", command=("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80 -b ::"))
    assert net.sh("web", "curl -sS http://far.example/who") == f"{HOST[0]}\n"
    host.batch("addr flush dev wan0\nlink set wan0 down\n")
    assert "unreachable" in net.rootless("exec", "web", "nc", "-vzw9", FAR[0], "80", status=1).stderr.lower()
    assert net.sh("web", "getent ahostsv4 db | head -1").split()[0] == net.endpoint("db", "app")["IPAddress"]
    assert net.reaches("web", "db")
    host.batch("link set wan0 up\naddr add 100.64.9.2/24 dev wan0\nroute add default via 100.64.9.1\n")
    host.batch("addr add 100.64.9.1/24 dev eth0\n", where=host.outside)
    host.serve(sys.executable, "-c", SERVER, "100.64.9.1", FAR[0], where=host.outside)
    host.write("/etc/resolv.conf", "nameserver 100.64.9.1\n")
    assert net.sh("web", "curl -sS http://work.example/who; echo x | socat -T9 - UDP4:work.example:7") == "100.64.9.2\n" * 2
    assert "Directory listing" in asked(host, VISITORS[0], "http://100.64.9.2:8080/")
    # IPv6 is not there any more, and that is said at once.
    assert "unreachable" in net.rootless("exec", "web", "nc", "-vzw9", FAR[1], "7", status=1).stderr.lower()


def test_a_host_without_tun(net: Net) -> None:
    """There is no way out then, which is said; networks that have none work."""
    net.host.run("mount", "-t", "tmpfs", "none", "/dev/net")
    net.rootless("network", "create", "app")
    refused = net.rootless("run", "--rm", "--network", "app", net.image, "true", status=125).stderr.splitlines()
    assert refused[0] == "rootless: no network: /dev/net/tun does not exist"
    assert refused[1].startswith("hint: ")
    assert net.rootless("ps", "-aq").lines == []
    net.rootless("network", "create", "--internal", "inner")
    for name in ("one", "two"):
        net.run(name, "--network", "inner")
    assert net.reaches("one", "two")
    net.host.run("umount", "/dev/net")
    net.run("three", "--network", "app")
    net.host.internet_servers()
    assert net.sh("three", f"curl -sS http://{FAR[0]}/who") == f"{HOST[0]}\n"
