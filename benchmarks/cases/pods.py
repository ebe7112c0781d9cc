"""Pods beside Podman's: how long the verbs take, and the private memory of an infra and its monitor."""

from __future__ import annotations

import json

from benchmarks.cases.memory import private_kib_of
from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import IMAGE, World

ROUNDS = 10


def measure(world: World) -> list[Row]:
    rows = _timed(world, "pod create", ("pod", "create", "bench"), ("pod", "rm", "bench"))
    world.both("pod", "create", "bench")
    rows += _timed(world, "pod start", ("pod", "start", "bench"), ("pod", "stop", "bench"))
    world.both("pod", "start", "bench")
    try:
        rows += interleaved("run --rm --pod", world.pair("run", "--rm", "--pod", "bench", IMAGE, "/bin/true"), rounds=ROUNDS)
        return rows + _memory(world)
    finally:
        world.both("pod", "rm", "--force", "bench")


def _timed(world: World, case: str, words: tuple[str, ...], undo: tuple[str, ...]) -> list[Row]:
    """The words, each time undone."""
    contenders = [
        Contender(each.name, each.run, other.run) for each, other in zip(world.pair(*words), world.pair(*undo), strict=True)
    ]
    return interleaved(case, contenders, rounds=ROUNDS)


def _memory(world: World) -> list[Row]:
    """KiB of the infra, and of what watches it."""
    ours = _pids(world.rootless("container", "inspect", _infra(world.rootless("pod", "inspect", "bench").stdout)).stdout, "MonitorPid")
    if world.podman is None:
        return []
    infra = _infra(world.podman("pod", "inspect", "bench"))
    theirs = _pids(world.podman("container", "inspect", infra), "ConmonPid")
    rows = []
    for case, one, other in zip(("memory of a pod's infra", "memory of its monitor"), ours, theirs, strict=True):
        mine, peer = private_kib_of(one), private_kib_of(other)
        rows.append(Row(case, "podman", "KiB", mine, peer, mine / peer, None, 1))
    return rows


def _infra(text: str) -> str:
    found = json.loads(text)
    return str((found[0] if isinstance(found, list) else found)["InfraContainerID"])


def _pids(text: str, monitor: str) -> tuple[int, int]:
    (found,) = json.loads(text)
    return int(found["State"]["Pid"]), int(found["State"][monitor])

