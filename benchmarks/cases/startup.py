"""`ps` on an empty store: what every command pays before it does anything."""

from __future__ import annotations

from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import World, bare_python


def measure(world: World) -> list[Row]:
    contenders = [*world.pair("ps"), Contender("bare python", bare_python())]
    return interleaved("ps, no container", contenders, rounds=20)
