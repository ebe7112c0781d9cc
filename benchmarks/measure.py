"""Times contenders against each other: interleaved, after a warm-up, compared pair by pair.

A machine's speed drifts while a benchmark runs. Each round times every contender once, in turn,
so what slows one slows the other; the figure that counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple


class Contender(NamedTuple):
    """`run` is timed; `reset` runs after each time, untimed. The first contender is ourselves."""

    name: str
    run: Callable[[], object]
    reset: Callable[[], object] = lambda: None


class Row(NamedTuple):
    """One comparison. `ratio` is ours / peer's; `goal` what we want it to be at most (None: no goal)."""

    case: str
    peer: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    goal: float | None
    rounds: int


def interleaved(
    case: str,
    contenders: list[Contender],
    *,
    rounds: int,
    warm_up: int = 1,
    goals: dict[str, float] | None = None,
) -> list[Row]:
    """Time `contenders` in turn for `rounds` rounds; a row for each peer, in milliseconds."""
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for number in range(warm_up + rounds):
        for each in contenders:
            begin = time.perf_counter()
            each.run()
            elapsed_ms = (time.perf_counter() - begin) * 1000
            each.reset()
            if number >= warm_up:
                times[each.name].append(elapsed_ms)
    ours = times[contenders[0].name]
    rows = []
    for peer in contenders[1:]:
        theirs = times[peer.name]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        goal = (goals or {}).get(peer.name)
        rows.append(
            Row(
                case, peer.name, "ms", statistics.median(ours), statistics.median(theirs), ratio, goal, rounds
            )
        )
    if len(contenders) == 1:
        rows.append(Row(case, "", "ms", statistics.median(ours), 0.0, 0.0, None, rounds))
    return rows


def command(argv: list[str], environment: dict[str, str], *, timeout_s: float = 600) -> Callable[[], None]:
    """A function that runs `argv` to its end, quietly, and fails with its stderr if it does."""

    def run() -> None:
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=timeout_s, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.decode(errors='replace')}")

    return run


def at_once(argv: list[str], environment: dict[str, str], count: int) -> Callable[[], None]:
    """A function that starts `argv` `count` times together and waits for all of them."""

    def run() -> None:
        running = [
            subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(count)
        ]  # fmt: skip
        statuses = [each.wait(600) for each in running]
        if any(statuses):
            raise RuntimeError(f"{' '.join(argv)}: {statuses}")

    return run
