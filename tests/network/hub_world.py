"""A host, a hub and containers for netd: network namespaces of a forked child, which is root of its own user namespace."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rootless.linux.namespace import CLONE_NEWNET, setns, unshare
from rootless.network.hub import netd
from rootless.network.hub.settings import OnNetwork, Settings, set_container
from tests.harness.forked import become_root_of_own_namespace, forked

T = TypeVar("T")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=60)


def new_network() -> int:
    """A network namespace with lo up, as a descriptor."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    made = os.open("/proc/self/ns/net", os.O_RDONLY)
    ip("link", "set", "lo", "up")
    setns(before, CLONE_NEWNET)
    os.close(before)
    return made


@contextmanager
def inside(network: int) -> Iterator[None]:
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    setns(network, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(before, CLONE_NEWNET)
        os.close(before)


def sleeper() -> int:
    """The pid of a process that does nothing, and dies with us."""
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        while True:
            signal.pause()
    return pid


class Container:
    """A process and a network namespace; with resolver sockets in it."""

    def __init__(self, number: int) -> None:
        self.id = f"{number:064x}"
        self.network = new_network()
        self.pid = sleeper()
        self.pidfd = os.pidfd_open(self.pid)
        with inside(self.network):
            self.udp = socket.socket(type=socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.11", 53))
            self.tcp = socket.create_server(("127.0.0.11", 53))

    def settings(self, *networks: OnNetwork, **more: object) -> Settings:
        return Settings(
            self.id,
            pidfd=self.pidfd,
            resolver_udp=self.udp.fileno(),
            resolver_tcp=self.tcp.fileno(),
            networks=networks,
            **more,  # type: ignore[arg-type]
        )

    def end(self) -> None:
        """Kill it, and wait until the kernel says so."""
        os.kill(self.pid, signal.SIGKILL)
        assert select.select([self.pidfd], [], [], 60)[0]


class World:
    """The host is the namespace that the test is in."""

    def __init__(self, runtime: str) -> None:
        ip("link", "set", "lo", "up")
        self.hub = new_network()
        self.resolv_conf = Path(runtime, "resolv.conf")
        self.resolv_conf.write_text("")
        self.netd = netd.Netd(runtime, self.hub, resolv_conf=str(self.resolv_conf))
        self.containers = 0

    def container(self, *networks: OnNetwork, **more: object) -> Container:
        """One more, which netd has been told of."""
        self.containers += 1
        made = Container(self.containers)
        set_container(self.netd, made.settings(*networks, **more))
        return made

    def pid(self) -> int:
        return int(netd.status(self.netd.runtime)["pid"])

    def listed(self) -> list[str]:
        return [line.split()[0] for line in netd.ask(self.netd, "list")]

    def end(self) -> None:
        try:
            os.kill(self.pid(), signal.SIGKILL)
        except netd.NoNetd:
            pass


def in_world(test: Callable[[World], T]) -> T:
    """What the test returns, of a world of its own."""

    def work() -> T:
        become_root_of_own_namespace(CLONE_NEWNET)
        with tempfile.TemporaryDirectory() as runtime:
            world = World(runtime)
            try:
                return test(world)
            finally:
                world.end()

    return forked(work)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within a minute."""
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def process_exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
