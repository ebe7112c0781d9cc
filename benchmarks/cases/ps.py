"""`ps -a` with a hundred containers."""

from __future__ import annotations

from benchmarks.measure import Row, interleaved
from benchmarks.world import IMAGE, World

COUNT = 100


def measure(world: World) -> list[Row]:
    names = [f"bench-{number}" for number in range(COUNT)]
    for name in names:
        world.both("create", "--name", name, "--network", "none", IMAGE, "/bin/true")
    try:
        return interleaved(
            f"ps -a, {COUNT} containers", world.pair("ps", "-a"), rounds=15, goals={"podman": 1 / 2}
        )
    finally:
        world.both("rm", "--force", *names)
