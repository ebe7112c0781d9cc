"""What a network costs a start: `run --rm` by slirp4netns, and on a bridge, with other containers there and as the first one.

Beside `--network none` and Podman's bridge; and `network create`. The command starts when its network is up.
"""

from __future__ import annotations

import os
import select
import signal
import statistics
import time
from collections.abc import Callable
from functools import partial

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.places import engines
from benchmarks.world import IMAGE, World
from rootless.network.hub import netd

ROUNDS = 10
_ABOVE_NONE_MS = {"others there": 10.0, "the first one": 40.0}
_CREATE_MS = 60.0


def measure(world: World) -> list[Row]:
    slirp4netns = world.pair("run", "--rm", "--network", "slirp4netns", IMAGE, "/bin/true")
    rows = interleaved("run --rm with slirp4netns", slirp4netns, rounds=ROUNDS, goals={"podman": 1 / 4})
    world.both("network", "create", "bench")
    try:
        rows += _starts(world, "the first one", lambda: _end_netd(world))
        world.both("run", "-d", "--name", "bench", "--network", "bench", IMAGE, "sleep", "100000")
        rows += _starts(world, "others there", lambda: None)
    finally:
        world.both("rm", "--force", "bench")
        world.both("network", "rm", "bench")
    return rows + _creations(world)


def _starts(world: World, case: str, reset: Callable[[], None]) -> list[Row]:
    """Rows against Podman's bridge and against what it may cost above no network at all."""
    words = ("run", "--rm", "--network", "bench", IMAGE, "/bin/true")
    none = world.ours("run", "--rm", "--network", "none", IMAGE, "/bin/true")
    bridge = world.ours(*words)
    theirs = command(world.podman.argv(*words), world.podman.environment) if world.podman else None
    reset()
    times: list[tuple[float, float, float]] = []
    for number in range(1 + ROUNDS):
        found = _seconds(bridge.run), _seconds(none.run), _seconds(theirs) if theirs else 0.0
        reset()
        if number:  # the first round warms up
            times.append(found)
    ours, plain, podman = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
    above = statistics.median(a - b for a, b, _ in times) * 1000
    goal = _ABOVE_NONE_MS[case]
    label = f"run --rm on a bridge, {case}"
    rows = [Row(label, "--network none", "ms", ours, plain, statistics.median(a / b for a, b, _ in times), None, ROUNDS)]
    rows.append(Row(f"{label}: above none", f"(goal {goal:g} ms)", "ms", above, goal, above / goal, 1, ROUNDS))
    if theirs:
        ratio = statistics.median(a / c for a, _, c in times)
        rows.append(Row(label, "podman", "ms", ours, podman, ratio, 1 / 4, ROUNDS))
    return rows


def _end_netd(world: World) -> None:
    """The next container is the first one on any network: neither netd nor the uplink runs."""
    runtime = os.path.join(world.rootless.runtime, "rootless")
    try:
        pidfd = os.pidfd_open(int(netd.status(runtime)["pid"]))
    except (netd.NoNetd, ProcessLookupError):
        return
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    poll.poll()
    os.close(pidfd)


def _creations(world: World) -> list[Row]:
    contenders = []
    for each, engine in zip(world.pair("network", "create", "bench"), engines(world), strict=True):
        contenders.append(Contender(each.name, each.run, partial(engine.run, "network", "rm", "bench")))
    rows = interleaved("network create", contenders, rounds=ROUNDS)
    ours = rows[0].ours
    return [*rows, Row("network create", f"(goal {_CREATE_MS:g} ms)", "ms", ours, _CREATE_MS, ours / _CREATE_MS, 1, ROUNDS)]


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
