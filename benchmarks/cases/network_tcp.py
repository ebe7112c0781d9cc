"""TCP of a container on a network of the hub: outwards through the gate, inwards by a published port.

Beside slirp4netns (its tap with an MTU of 65520; its port forwarding) and beside the host's loopback, in the same rounds.
Timed: 256 MiB by one connection and by eight, 2,000 times a byte there and back, and 1,000 connections with a byte there
and back. Everything is one small internet (tests/network/internet.py), so no other machine takes part.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.measure import Row
from benchmarks.world import World
from tests.harness.forked import forked
from tests.network.internet import Internet
from tests.network.internet_links import CONTAINERS, HOST, OUTSIDE

ROUNDS = 5
BULK = 256 << 20
CHUNK = bytes(128 << 10)
ROUND_TRIPS = 2000
CONNECTIONS = 1000
# At most so many times a peer's time.
GOALS = {"slirp4netns": 1 / 3, "loopback": 2.0}


class Way(NamedTuple):
    """From a client to a server."""

    peer: str
    server: str  # the namespace
    bound: str
    client: str
    target: str
    port: int


def _serve(listener: socket.socket, connections: int, each: Callable[[socket.socket], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    for _ in range(connections):
        connection, _ = listener.accept()
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each(connection)
    os._exit(0)


def _swallow(connection: socket.socket) -> None:
    room = bytearray(1 << 20)
    while connection.recv_into(room):
        pass
    connection.send(b"x")


def _echo(connection: socket.socket) -> None:
    try:
        while byte := connection.recv(1):
            connection.send(byte)
    except ConnectionResetError:
        pass
    connection.close()


def _wait(pids: list[int]) -> None:
    for pid in pids:
        os.waitpid(pid, 0)


def _bulk(internet: Internet, way: Way, listener: socket.socket, streams: int) -> float:
    servers = [_serve(listener, 1, _swallow) for _ in range(streams)]
    clients = [internet.connect(way.client, way.target, way.port) for _ in range(streams)]
    begin = time.perf_counter()
    senders = []
    for client in clients:
        client.settimeout(None)
        if not (pid := os.fork()):
            for _ in range(BULK // streams // len(CHUNK)):
                client.sendall(CHUNK)
            client.shutdown(socket.SHUT_WR)
            os._exit(0 if client.recv(1) else 1)
        senders.append(pid)
    _wait(senders)
    elapsed = time.perf_counter() - begin
    _wait(servers)
    for client in clients:
        client.close()
    return elapsed * 1000


def _round_trips(internet: Internet, way: Way, listener: socket.socket) -> float:
    server = _serve(listener, 1, _echo)
    client = internet.connect(way.client, way.target, way.port)
    client.settimeout(None)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin = time.perf_counter()
    for _ in range(ROUND_TRIPS):
        client.send(b"x")
        client.recv(1)
    elapsed = time.perf_counter() - begin
    client.close()
    _wait([server])
    return elapsed * 1000


def _connections(internet: Internet, way: Way, listener: socket.socket) -> float:
    server = _serve(listener, CONNECTIONS, _echo)
    with internet.inside(way.client):
        begin = time.perf_counter()
        for _ in range(CONNECTIONS):
            client = socket.socket()
            client.connect((way.target, way.port))
            client.send(b"x")
            client.recv(1)
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # no port in TIME_WAIT
            client.close()
        elapsed = time.perf_counter() - begin
    _wait([server])
    return elapsed * 1000


CASES: dict[str, Callable[[Internet, Way, socket.socket], float]] = {
    "256 MiB, 1 stream": lambda internet, way, listener: _bulk(internet, way, listener, 1),
    "256 MiB, 8 streams": lambda internet, way, listener: _bulk(internet, way, listener, 8),
    "2,000 round trips of a byte": _round_trips,
    "1,000 connections": _connections,
}


@contextmanager
def _slirp(internet: Internet, port: int) -> Iterator[int]:
    """slirp4netns for the container "other", whose port is published; the host's port."""
    internet.ip("other", "link del eth0\n")
    api = os.path.join(internet.runtime.name, "slirp.sock")
    ready, told = os.pipe()
    words = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", f"--api-socket={api}"]
    process = internet.helper(
        [
            *words,
            f"--ready-fd={told}",
            "--netns-type=path",
            f"/proc/self/fd/{internet.namespaces['other']}",
            "tap0",
        ],
        pass_fds=(told, internet.namespaces["other"]),
    )
    os.close(told)
    assert os.read(ready, 1)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(api)
        add = {"proto": "tcp", "host_addr": "0.0.0.0", "host_port": 18080, "guest_port": port}
        client.sendall(json.dumps({"execute": "add_hostfwd", "arguments": add}).encode())
        assert b"error" not in client.recv(1000)
    try:
        yield 18080
    finally:
        process.kill()
        process.wait()


def _measure() -> dict[str, dict[str, list[float]]]:
    """By direction and case, then by peer, the milliseconds of each round. Ours is the peer ""."""
    times: dict[str, dict[str, list[float]]] = {}
    with Internet() as internet:
        published, kept = internet.publish("one", "0.0.0.0", CONTAINERS["one"][0], 8080)
        internet.set_containers(one=[published])
        internet.open_gate()
        with _slirp(internet, 8080) as forwarded:
            loopback = Way("loopback", "host", "127.0.0.1", "host", "127.0.0.1", 9000)
            ways = {
                "out": [
                    Way("", "outside", OUTSIDE[0], "one", OUTSIDE[0], 9000),
                    Way("slirp4netns", "outside", OUTSIDE[0], "other", OUTSIDE[0], 9000),
                    loopback,
                ],
                "in": [
                    Way("", "one", "0.0.0.0", "outside", HOST[0], kept.getsockname()[1]),
                    Way("slirp4netns", "other", "0.0.0.0", "outside", HOST[0], forwarded),
                    loopback,
                ],
            }
            for _ in range(ROUNDS):
                for direction, several in ways.items():
                    for case, run in CASES.items():
                        for way in several:
                            port = 8080 if direction == "in" and way is not loopback else 9000
                            with internet.listen(way.server, way.bound, port) as listener:
                                elapsed = run(internet, way, listener)
                            found = times.setdefault(f"{direction}: {case}", {})
                            found.setdefault(way.peer, []).append(elapsed)
    return times


def measure(world: World) -> list[Row]:
    del world  # no image, and no command
    rows = []
    for case, found in forked(_measure, timeout_s=600).items():
        ours = found.pop("")
        for peer, theirs in found.items():
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            middle = statistics.median(ours), statistics.median(theirs)
            rows.append(Row(f"TCP {case}", peer, "ms", *middle, ratio, GOALS[peer], ROUNDS))
    return rows
