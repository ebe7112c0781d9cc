"""Where networks are measured from: the host, containers of ours and of Podman's, and namespaces with a bridge between them.

A place is a process whose network namespace one can be in. Containers run `sleep`; what talks in them is ours (traffic.py),
in a child that has joined their namespaces, so that all peers are measured by the same code.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.world import IMAGE, World
from rootless.linux.namespace import CLONE_NEWNET, CLONE_NEWUSER, setns, unshare
from tests.harness.forked import become_root_of_own_namespace
from tests.network.internet import die_with_parent
from tests.network.internet_links import run

PORT = 8080
"""What servers in containers listen on."""
PLAIN = ("10.77.0.2", "10.77.0.3")


class Place(NamedTuple):
    """A network namespace, by a process in it; 0: the one that the benchmarks run in. `address`: its own there."""

    pid: int
    address: str

    def enter(self) -> None:
        """Of the calling process, for good."""
        if self.pid:
            setns(os.pidfd_open(self.pid), CLONE_NEWUSER | CLONE_NEWNET)

    def listener(self, port: int) -> socket.socket:
        """A TCP socket that listens there on all IPv4 addresses."""
        if not self.pid:
            return _listener(port)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            with _exiting():
                self.enter()
                made = _listener(port)
                socket.send_fds(theirs, [b"x"], [made.fileno()])
        theirs.close()
        with ours:
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        os.waitpid(child, 0)
        if not fds:
            raise RuntimeError(f"nobody can listen in the network of process {self.pid}")
        return socket.socket(fileno=fds[0])

    def spawn(self, work: Callable[[], None]) -> int:
        """The pid of a child that does it there."""
        pid = os.fork()
        if pid == 0:
            with _exiting():
                self.enter()
                work()
        return pid


@contextmanager
def _exiting() -> Iterator[None]:
    """The process ends with what is in it, and its status says whether that went well."""
    status = 1
    try:
        die_with_parent()
        yield
        status = 0
    except (OSError, AssertionError, RuntimeError) as error:
        print(f"    {error!r}", file=sys.stderr)
    finally:
        os._exit(status)


def _listener(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("0.0.0.0", port))
    made.listen(4096)
    return made


def host_address() -> str:
    """The host's own address: not the loopback's, which no container can reach."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError as error:
            raise RuntimeError(f"the host has no address besides its loopback: {error.strerror}") from None
        return str(probe.getsockname()[0])


def free_port() -> int:
    """Of the host's, that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


@contextmanager
def plain_bridge() -> Iterator[tuple[Place, Place]]:
    """Two network namespaces, with a pair of virtual Ethernet devices each to one bridge in a third."""
    ready, told = os.pipe()
    bridge = os.fork()
    if bridge == 0:
        with _exiting():
            _bridge(told)
    os.close(told)
    with open(ready, encoding="ascii") as pipe:
        pids = [int(word) for word in pipe.readline().split()]
    if len(pids) != 2:
        raise RuntimeError("no bridge can be made here")
    try:
        yield Place(pids[0], PLAIN[0]), Place(pids[1], PLAIN[1])
    finally:
        os.kill(bridge, signal.SIGKILL)
        os.waitpid(bridge, 0)


def _bridge(told: int) -> None:
    become_root_of_own_namespace()
    unshare(CLONE_NEWNET)
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "set", "br0", "up")
    pids = []
    for number, address in enumerate(PLAIN):
        inside, gone = os.pipe()
        pid = os.fork()
        if pid == 0:
            with _exiting():
                unshare(CLONE_NEWNET)
                os.close(gone)
                signal.pause()
        os.close(gone)
        os.read(inside, 1)  # nothing: it has its own network now
        run("ip", "link", "add", f"veth{number}", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        run("ip", "link", "set", f"veth{number}", "master", "br0", "up")
        enter = ("nsenter", "-t", str(pid), "-n", "ip")
        for words in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            run(*enter, *words)
        pids.append(pid)
    os.write(told, f"{pids[0]} {pids[1]}\n".encode())
    os.close(told)
    signal.pause()


class Engine(NamedTuple):
    """Ourselves or Podman, by what they have in common."""

    name: str
    run: Callable[..., object]
    ask: Callable[..., str]

    def start(self, name: str, *options: str) -> Place:
        """A container that waits."""
        self.run("run", "-d", "--name", name, *options, IMAGE, "sleep", "100000", timeout=600)
        return self.place(name)

    def place(self, name: str) -> Place:
        """Of a container that runs."""
        found = json.loads(self.ask("inspect", name))[0]
        settings = found["NetworkSettings"]
        addresses = [each.get("IPAddress") for each in (settings.get("Networks") or {}).values()]
        return Place(found["State"]["Pid"], next(filter(None, [*addresses, settings.get("IPAddress")]), ""))


@contextmanager
def on_one_network(engine: Engine, *options: str) -> Iterator[tuple[Place, Place]]:
    """Two containers on a network of their own; the options are the first one's."""
    engine.run("network", "create", "bench")
    try:
        yield engine.start("bench-1", "--network", "bench", *options), engine.start("bench-2", "--network", "bench")
    finally:
        engine.run("rm", "--force", "bench-1", "bench-2")
        engine.run("network", "rm", "bench")


@contextmanager
def by_uplink(engine: Engine, uplink: str, port: int) -> Iterator[Place | None]:
    """A container with one of its own, which publishes PORT there; None where it cannot be had."""
    try:
        place = engine.start(f"bench-{uplink}", "--network", uplink, "-p", f"{port}:{PORT}")
    except AssertionError as error:
        print(f"    no {uplink}: {error}", file=sys.stderr)
        yield None
        return
    try:
        yield place
    finally:
        engine.run("rm", "--force", f"bench-{uplink}")


def engines(world: World) -> list[Engine]:
    """Ourselves, and Podman where it is installed."""
    found = [Engine("rootless", world.rootless, lambda *words: world.rootless(*words).stdout)]
    if world.podman:
        found.append(Engine("podman", world.podman, world.podman))
    return found
