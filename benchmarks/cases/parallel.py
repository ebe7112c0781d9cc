"""Eight `run --rm` started together; the time until the last has ended."""

from __future__ import annotations

from benchmarks.measure import Contender, Row, at_once, interleaved
from benchmarks.world import IMAGE, World

COUNT = 8


def measure(world: World) -> list[Row]:
    words = ("run", "--rm", "--network", "none", IMAGE, "/bin/true")
    contenders = [
        Contender("rootless", at_once([*world.rootless.argv, *words], world.rootless.environment, COUNT))
    ]
    if world.podman:
        contenders.append(
            Contender("podman", at_once(world.podman.argv(*words), world.podman.environment, COUNT))
        )
    return interleaved(f"{COUNT} run --rm at once", contenders, rounds=5, goals={"podman": 1 / 4})
