"""TCP of containers on a bridge: between two of them, out to the host, and in by a published port.

Timed (benchmarks/traffic.py): 256 MiB by one connection and by eight, 2,000 times a byte there and back, 1,000 connections with a
byte there and back. Beside Podman's bridge, slirp4netns and pasta for each container, the host's loopback, and two network
namespaces on a bridge with nothing else; all in turn, in the same rounds.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack

from benchmarks.measure import Row
from benchmarks.places import (
    PORT,
    Place,
    by_uplink,
    engines,
    free_port,
    host_address,
    on_one_network,
    plain_bridge,
)
from benchmarks.traffic import CASES, Way
from benchmarks.world import World

ROUNDS = 5
_STANDS_STILL_MS = 20_000  # pasta with one connection outwards, on some hosts: once is enough
_PLAIN = "veth and bridge"
# At most so many times a peer's time. What is far from a byte stream's speed has no goal of its own: a relay is two more wake-ups.
_GOALS = {"slirp4netns": 1 / 3, "loopback": 2.0, _PLAIN: 1 / 0.95}


def measure(world: World) -> list[Row]:
    with ExitStack() as stack:
        ways = _ways(world, stack)
        times: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for direction, several in ways.items():
                for case, timed in CASES.items():
                    for way in several:
                        if max(times.get((direction, case, way.peer), [0])) > _STANDS_STILL_MS:
                            continue
                        with way.server.listener(way.port) as listener:
                            elapsed = timed(way, listener)
                        times.setdefault((direction, case, way.peer), []).append(elapsed)
    return [_row(times, *key) for key in times if key[2] != "rootless"]


def _row(times: dict[tuple[str, str, str], list[float]], direction: str, case: str, peer: str) -> Row:
    ours, theirs = times[direction, case, "rootless"], times[direction, case, peer]
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=False))
    middle = statistics.median(ours), statistics.median(theirs)
    goal = _GOALS.get(peer) if "MiB" in case or direction == "between" else None
    return Row(f"TCP {direction}: {case}", peer, "ms", *middle, ratio, goal, len(theirs))


def _ways(world: World, stack: ExitStack) -> dict[str, list[Way]]:
    """By direction, ours first."""
    address = host_address()
    host, host_port = Place(0, address), free_port()
    ways: dict[str, list[Way]] = {"between": [], "out": [], "in": []}

    def add(peer: str, container: Place, port: int) -> None:
        ways["out"].append(Way(peer, host, host_port, container, (address, host_port)))
        ways["in"].append(Way(peer, container, PORT, host, (address, port)))

    for engine in engines(world):
        port = free_port()
        one, two = stack.enter_context(on_one_network(engine, "-p", f"{port}:{PORT}"))
        ways["between"].append(Way(engine.name, one, PORT, two, (one.address, PORT)))
        add(engine.name, one, port)
    ours = engines(world)[0]
    for uplink in ("slirp4netns", "pasta"):
        port = free_port()
        if container := stack.enter_context(by_uplink(ours, uplink, port)):
            add(uplink, container, port)
    one, two = stack.enter_context(plain_bridge())
    ways["between"].append(Way(_PLAIN, one, PORT, two, (one.address, PORT)))
    loopback = Way("loopback", host, host_port, host, ("127.0.0.1", host_port))
    for direction in ("out", "in"):
        ways[direction].append(loopback)
    return ways
