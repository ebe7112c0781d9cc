"""The first start of a container with --userns=keep-id beside an ordinary one: nothing of the image may be copied for it."""

from __future__ import annotations

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World

_GOAL = 1.2


def measure(world: World) -> list[Row]:
    """ms."""
    contenders = []
    for name, words in (("rootless", ["--userns=keep-id"]), ("ordinary", [])):
        argv = [*world.rootless.argv, "run", "--rm", "--network", "none", *words, IMAGE, "true"]
        contenders.append(Contender(name, command(argv, world.rootless.environment)))
    return interleaved("run --rm --userns=keep-id, the first start", contenders, rounds=15, goals={"ordinary": _GOAL})
