"""Networks on a real host: neighbours, visitors, a VPN, and what is killed comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.vm.machine import Machine
from tests.vm.test_boot import wait_until
from tests.vm.test_host import script

# Somebody else of the internet: a web server, and a name server that answers A questions with its own address.
OTHERS = """
import http.server, socket, threading
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + self.client_address[0].encode() + b"\\n")
threading.Thread(target=http.server.ThreadingHTTPServer(("198.18.0.77", 80), Web).serve_forever).start()
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("198.18.0.77", 53))
while True:
    query, peer = names.recvfrom(4096)
    end = query.index(0, 12) + 5
    known = query[end - 4:end - 2] == bytes((0, 1))
    answer = bytes.fromhex("c00c000100010000000a0004") + socket.inet_aton("198.18.0.77") if known else b""
    names.sendto(query[:2] + b"\\x81\\x80" + b"\\0\\1" + bytes((0, known)) + bytes(4) + query[12:end] + answer, peer)
"""
VPN = """
ip netns add others
ip link add vpn0 type veth peer name up0 netns others
ip -n others link set lo up; ip -n others addr add 198.18.0.77/24 dev up0; ip -n others link set up0 up
printf %s "$others" >/tmp/others.py
ip netns exec others setsid -f python3 /tmp/others.py </dev/null >/tmp/others.log 2>&1
ip addr add 198.18.0.1/24 dev vpn0; ip link set vpn0 up
[ ! -e /etc/resolv.conf ] || mv /etc/resolv.conf /etc/resolv.conf.before
printf 'nameserver 198.18.0.77\\n' >/etc/resolv.conf.new; mv /etc/resolv.conf.new /etc/resolv.conf
"""


@pytest.fixture
def vpn(vm: Machine) -> Iterator[Callable[[], None]]:
    """vpn() opens it: a link to others, and their name server instead of the host's."""

    def open_it() -> None:
        vm.run("root", f"others='{OTHERS}'\nset -e\n{VPN}")

    yield open_it
    end = "ip netns pids others | xargs -r kill; ip netns del others; rm -f /etc/resolv.conf"
    vm.run("root", f"{end}; mv /etc/resolv.conf.before /etc/resolv.conf", check=False)


@pytest.mark.differs
def test_neighbours_visitors_and_a_vpn(vm: Machine, vpn: Callable[[], None]) -> None:
    script(
        vm,
        "alice",
        """
        rootless network create app >/dev/null
        rootless run -d --name db --network app --network-alias sql busybox sleep 6001 >/dev/null
        rootless run -d --name web --network app -p 8080:80 busybox \\
            sh -c 'echo served >/tmp/index.html; exec httpd -f -vv -p 80 -h /tmp' >/dev/null
        rootless exec db wget -q -O - http://web/ | grep -q served
        """,
    )
    outside = "rootless exec db timeout 60 wget -q -O - http://any.example/"
    assert vm.run("alice", outside, check=False).returncode != 0
    vpn()
    assert script(vm, "alice", outside) == ["198.18.0.1"], "the address that the host has there"
    wget = "ip netns exec others busybox wget -q -O - http://198.18.0.1:8080/"
    assert script(vm, "root", wget) == ["served"]
    assert "198.18.0.77" in vm.run("alice", "rootless logs web 2>&1").stdout
    # Whatever is killed comes back.
    # slirp4netns ends with netd, too.
    vm.run("root", "pkill -9 -u alice slirp4netns; pkill -9 -u alice -f '^rootless: networks'")
    wait_until(lambda: vm.run("alice", outside, check=False).stdout == "198.18.0.1\n", "another netd", 60)
    assert script(vm, "root", wget) == ["served"]
    assert vm.run("alice", "rootless exec db nslookup sql").stdout.count("Address") == 2
    script(vm, "alice", "rootless rm -f db web; rootless network rm app")
