"""`run --rm` with slirp4netns: the command starts when its network is up."""

from __future__ import annotations

from benchmarks.measure import Row, interleaved
from benchmarks.world import IMAGE, World


def measure(world: World) -> list[Row]:
    contenders = world.pair("run", "--rm", "--network", "slirp4netns", IMAGE, "/bin/true")
    return interleaved("run --rm with slirp4netns", contenders, rounds=10, goals={"podman": 1 / 4})
