"""Two hundred containers up at once: starts, memory for each, `ps`, `stats --no-stream`, `stop --all`.

$ROOTLESS_BENCH_MANY is how many (200). Each holds a shell that ends at SIGTERM, so that `stop` does not
wait for its ten seconds. Ours and Podman's are up together; as many starts at a time as there are cores.
Podman does without a keyring for each container here: the kernel's quota (/proc/sys/kernel/keys/maxkeys,
200 for each user) would end it before the last one, where ours goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.cases.memory import private_kib, program
from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import IMAGE, World
from tests.harness import processes

COUNT = int(os.environ.get("ROOTLESS_BENCH_MANY") or 200)
COMMAND = ("sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait")
OF_THE_CONTAINER = ("busybox", "sh", "sleep")


def measure(world: World) -> list[Row]:
    names = [f"many-{number}" for number in range(COUNT)]
    contenders = world.pair("version")
    if world.podman:
        settings = world.podman.directory / "config/containers/containers.conf"
        settings.write_text("[containers]\nkeyring = false\n")
    if world.podman and not _can_measure(world):
        print("    podman stats does not work here (it takes cgroup v2): ours alone", file=sys.stderr)
    try:
        rows = _starts(contenders, [world.pair(*_run(name)) for name in names])
        for each, listed in zip(contenders, _listed(world), strict=True):
            assert listed == COUNT, f"{each.name}: {listed} of {COUNT} containers are up"
        rows += interleaved(f"ps, {COUNT} containers up", world.pair("ps"), rounds=10, goals={"podman": 1 / 2})
        stats = world.pair("stats", "--no-stream") if _can_measure(world) else [world.ours("stats", "--no-stream")]
        rows += interleaved(f"stats --no-stream, {COUNT} containers", stats, rounds=3)
        times = [_seconds(each.run) for each in world.pair("stop", "--all")]
        rows += _rows(f"stop --all, {COUNT} containers", "s", contenders, times, goal=None)
        assert not any(_listed(world)), "stop --all left containers that run"
        return rows
    finally:
        if world.podman:
            settings.unlink()
        world.both("rm", "--force", *names)


def _run(name: str) -> tuple[str, ...]:
    return ("run", "-d", "--name", name, "--network", "none", IMAGE, *COMMAND)


def _starts(contenders: list[Contender], runs: list[list[Contender]]) -> list[Row]:
    """Milliseconds for each start, and KiB that each container takes besides what runs in it."""
    milliseconds, memory = [], []
    for position in range(len(contenders)):
        before = processes.descendants().keys()
        milliseconds.append(_seconds(_together([each[position].run for each in runs])) * 1000 / len(runs))
        # Whatever is shared counts in parts: our holder, Podman's pause process.
        found = [each for key, each in processes.descendants().items() if key not in before]
        beside = [each for each in found if program(each) not in OF_THE_CONTAINER]
        assert len(beside) >= len(runs), f"{contenders[position].name}: {len(beside)} processes supervise {len(runs)}"
        memory.append(private_kib(beside) / len(runs))
    case = f"{len(runs)} containers up at once"
    return [
        *_rows(f"{case}: a start", "ms", contenders, milliseconds, goal=1 / 4),
        *_rows(f"{case}: private memory of each", "KiB", contenders, memory, goal=None),
    ]


def _together(calls: list[Callable[[], object]]) -> Callable[[], None]:
    def run() -> None:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for future in [pool.submit(each) for each in calls]:
                future.result()

    return run


def _rows(case: str, unit: str, contenders: list[Contender], figures: list[float], *, goal: float | None) -> list[Row]:
    ours = figures[0]
    if len(figures) == 1:
        return [Row(case, "", unit, ours, 0.0, 0.0, None, 1)]
    pairs = zip(contenders[1:], figures[1:], strict=True)
    return [Row(case, each.name, unit, ours, theirs, ours / theirs, goal, 1) for each, theirs in pairs]


def _listed(world: World) -> list[int]:
    """How many containers each of us says are up."""
    listed = [len(world.rootless("ps", "--quiet").lines)]
    if world.podman:
        listed.append(len(world.podman("ps", "--quiet").splitlines()))
    return listed


def _can_measure(world: World) -> bool:
    """Whether `podman stats` works for an ordinary user here."""
    if world.podman is None:
        return False
    done = subprocess.run(
        world.podman.argv("stats", "--no-stream"), env=world.podman.environment, stdin=subprocess.DEVNULL,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
