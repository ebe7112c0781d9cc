"""The resolver of a container: 10,000 questions about 200 names, over UDP with 32 in flight and over one TCP connection."""

from __future__ import annotations

import socket
import statistics
import time

import dns.message

from benchmarks.measure import Row
from benchmarks.world import World
from rootless.network.hub.settings import OnNetwork
from tests.network.hub_world import World as Networks
from tests.network.hub_world import in_world, inside

_NAMES = 200
_QUESTIONS = 10_000
_IN_FLIGHT = 32
_ROUNDS = 5
_RESOLVER = ("127.0.0.11", 53)


def measure(_: World) -> list[Row]:
    udp, tcp = in_world(_times)
    return [_row("over UDP", udp), _row("over TCP", tcp)]


def _row(way: str, times_ms: list[float]) -> Row:
    ours = statistics.median(times_ms)
    return Row(f"resolver: {_QUESTIONS} questions {way}", "one second", "ms", ours, 1000, ours / 1000, 1, _ROUNDS)


def _times(world: Networks) -> tuple[list[float], list[float]]:
    containers = [
        world.container(OnNetwork("app", f"172.18.0.{number}", "", (f"name-{number}",))) for number in range(_NAMES)
    ]
    wires = [dns.message.make_query(f"name-{number % _NAMES}", "A").to_wire() for number in range(_QUESTIONS)]
    with inside(containers[0].network):
        return [_over_udp(wires) for _ in range(_ROUNDS)], [_over_tcp(wires) for _ in range(_ROUNDS)]


def _over_udp(wires: list[bytes]) -> float:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(_RESOLVER)
        client.settimeout(10)
        begin = time.perf_counter()
        for at in range(0, len(wires), _IN_FLIGHT):
            for wire in wires[at : at + _IN_FLIGHT]:
                client.send(wire)
            for _ in wires[at : at + _IN_FLIGHT]:
                client.recv(512)
        return (time.perf_counter() - begin) * 1000


def _over_tcp(wires: list[bytes]) -> float:
    """Each is asked when the answer to the one before has come."""
    with socket.create_connection(_RESOLVER, timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        for wire in wires:
            client.sendall(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(client.recv(2, socket.MSG_WAITALL), "big")
            client.recv(length, socket.MSG_WAITALL)
        return (time.perf_counter() - begin) * 1000
