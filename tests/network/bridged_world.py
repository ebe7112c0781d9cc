"""A host of the test's own, with an internet behind it, a hub and containers: network namespaces of one user namespace.

To be made in a forked child (tests/harness/forked.py): everything goes with it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from rootless.linux import namespace
from rootless.linux.process import set_pdeathsig
from rootless.network.hub import attach
from rootless.network.hub.endpoint import Attached, Bridge, Endpoint
from tests.harness.forked import become_root_of_own_namespace, forked

T = TypeVar("T")
HOST4, HOST6 = "192.0.2.2", "2001:db8:1::2"
# Of the internet: one on the host's link, and one beyond.
NEAR4, NEAR6, FAR4, FAR6 = "192.0.2.1", "2001:db8:1::1", "9.8.7.6", "2a00:1234::5"
PORT = 7777
APP = Bridge("a1" * 32, "172.18.0.0/16", "172.18.0.1", "fd11::/64", "fd11::1")
OTHER = Bridge("b2" * 32, "172.19.0.0/16", "172.19.0.1", "fd22::/64", "fd22::1")


def endpoint(bridge: Bridge, number: int, *, interface: str = "eth0", default: bool = True) -> Endpoint:
    """The `number`th address of a network."""
    four = bridge.subnet4.replace("0.0/16", f"0.{number}")
    six = bridge.subnet6.replace("/64", f"{number:x}") if bridge.subnet6 else ""
    mac = f"02:42:{bridge.id[:2]}:00:00:{number:02x}"
    way_out = default and not bridge.internal
    return Endpoint(bridge, interface, f"veth{bridge.id[:2]}x{number}", mac, four, six, way_out, way_out)


class Network:
    """A network namespace, kept by a process that waits in it."""

    def __init__(self) -> None:
        ready, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            set_pdeathsig(signal.SIGKILL)
            namespace.unshare(namespace.CLONE_NEWNET)
            os.write(tell, b"1")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
        os.close(ready)
        os.close(tell)
        self.fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def do(self, closure: Callable[[], T]) -> T:
        """What `closure` returns in it."""

        def work() -> T:
            namespace.setns(self.fd, namespace.CLONE_NEWNET)
            return closure()

        return forked(work)

    def spawn(self, closure: Callable[[], None]) -> int:
        """Have a process in it until the world ends."""
        pid = os.fork()
        if pid == 0:
            set_pdeathsig(signal.SIGKILL)
            namespace.setns(self.fd, namespace.CLONE_NEWNET)
            closure()
            os._exit(0)
        return pid

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Container(Network):
    """One that is on networks."""

    def __init__(self, hub: Network, *endpoints: Endpoint) -> None:
        super().__init__()
        self.endpoints = endpoints
        self.attached: Attached = attach.attach(hub.fd, self.fd, endpoints, first=True)

    def end(self) -> None:
        # Sockets keep their namespace.
        os.close(self.attached.resolver_udp)
        os.close(self.attached.resolver_tcp)
        super().end()


class World:
    """The calling process is on its host afterwards."""

    def __init__(self, *, mtu: int = 1500) -> None:
        become_root_of_own_namespace()
        namespace.unshare(namespace.CLONE_NEWNET)
        self.internet = Network()
        with IPRoute() as route:
            route.link("set", index=1, state="up")
            route.link("add", ifname="wan0", kind="veth", mtu=mtu,
                       peer={"ifname": "eth0", "mtu": mtu, "net_ns_fd": self.internet.fd})  # fmt: skip
            wan = socket.if_nametoindex("wan0")
            route.link("set", index=wan, state="up")
            route.addr("add", index=wan, address=HOST4, prefixlen=24)
            route.addr("add", index=wan, address=HOST6, prefixlen=64, flags=2)
        self.internet.do(_make_internet)
        with IPRoute() as route:
            route.route("add", dst="default", gateway=NEAR4)
            route.route("add", dst="default", gateway=NEAR6, family=socket.AF_INET6)
        self.hub = Network()
        self.internet.spawn(echo)
        _wait_for_echo()

    def on_host(self, closure: Callable[[], None]) -> None:
        """Have a process on the host until the world ends."""
        pid = os.fork()
        if pid == 0:
            set_pdeathsig(signal.SIGKILL)
            closure()
            os._exit(0)
        deadline = time.monotonic() + 20
        while closure is echo_on_loopback and tcp("127.0.0.1") != "127.0.0.1":
            assert time.monotonic() < deadline, "the host's loopback does not answer"

    def container(self, *endpoints: Endpoint) -> Container:
        return Container(self.hub, *endpoints)


def _make_internet() -> None:
    with IPRoute() as route:
        link = socket.if_nametoindex("eth0")
        route.link("set", index=1, state="up")
        route.link("set", index=link, state="up")
        for address, length in ((NEAR4, 24), (FAR4, 32), (NEAR6, 64), (FAR6, 128)):
            route.addr("add", index=link, address=address, prefixlen=length, flags=2 if ":" in address else 0)


def echo(addresses: Sequence[str] = (NEAR4, FAR4, NEAR6, FAR6)) -> None:
    """TCP that tells who has connected, and UDP that answers with who has sent, from the address that was asked."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening, datagrams = socket.socket(family), socket.socket(family, socket.SOCK_DGRAM)
        for each in (listening, datagrams):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((address, PORT))
        listening.listen(64)
        threading.Thread(target=_echo_tcp, args=(listening,), daemon=True).start()
        threading.Thread(target=_echo_udp, args=(datagrams,), daemon=True).start()
    while True:
        signal.pause()


def echo_on_loopback() -> None:
    """The same on 127.0.0.1 and ::1 alone."""
    echo(("127.0.0.1", "::1"))


def _echo_tcp(listening: socket.socket) -> None:
    while True:
        connection, peer = listening.accept()
        connection.sendall(peer[0].encode())
        connection.close()


def _echo_udp(datagrams: socket.socket) -> None:
    while True:
        _, peer = datagrams.recvfrom(1 << 16)
        datagrams.sendto(peer[0].encode(), peer)


def _wait_for_echo() -> None:
    deadline = time.monotonic() + 20
    while tcp(FAR6) != HOST6 or tcp(FAR4) != HOST4:
        assert time.monotonic() < deadline, "the world's internet does not answer"
        time.sleep(0.02)


def tcp(address: str, port: int = PORT, *, source: str = "", timeout_s: float = 3) -> str:
    """Whom the other end sees, or the error's name."""
    try:
        with socket.create_connection((address, port), timeout_s, (source, 0) if source else None) as connection:
            return connection.recv(100).decode()
    except TimeoutError:
        return "TimeoutError"
    except OSError as error:
        return os.strerror(error.errno or 0)


def udp(address: str, port: int = PORT, *, size: int = 2, timeout_s: float = 3) -> str:
    """The same, of a datagram."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.settimeout(timeout_s)
        try:
            sending.connect((address, port))
            sending.send(bytes(size))
            return sending.recv(100).decode()
        except TimeoutError:
            return "TimeoutError"
        except OSError as error:
            return os.strerror(error.errno or 0)


def neighbour(address: str) -> bytes:
    """Its MAC address, asked for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        udp(address, 9, timeout_s=0.1)
        with IPRoute() as route:
            for found in route.get_neighbours(dst=address):
                if found.get_attr("NDA_LLADDR"):
                    return bytes.fromhex(found.get_attr("NDA_LLADDR").replace(":", ""))
    raise TimeoutError(f"{address} has no MAC address")


def ping(address: str, *, timeout_s: float = 3) -> bool:
    """Whether an ICMP echo is answered; of a namespace's root."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sending:
        sending.settimeout(timeout_s)
        request = b"\x08\x00" + (0xFFFF - 0x0800 - 0x1234 - 1).to_bytes(2, "big") + b"\x12\x34\x00\x01"
        sending.sendto(request, (address, 0))
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                answer, peer = sending.recvfrom(1500)
            except TimeoutError:
                return False
            if peer[0] == address and answer[20:22] == b"\0\0":
                return True
        return False
