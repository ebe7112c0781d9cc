"""`exec CONTAINER /bin/true` in a running container."""

from __future__ import annotations

from benchmarks.measure import Row, interleaved
from benchmarks.world import IMAGE, World


def measure(world: World) -> list[Row]:
    world.both("run", "-d", "--name", "bench", "--network", "none", IMAGE, "sleep", "1000")
    try:
        contenders = world.pair("exec", "bench", "/bin/true")
        return interleaved("exec /bin/true", contenders, rounds=15, goals={"podman": 1 / 4})
    finally:
        world.both("rm", "--force", "bench")
