"""Many: a hundred networks; two hundred containers on one; the memory of what networks need, of 50 containers on 5.

That memory is PSS of all processes that are there for networks alone: our netd and slirp4netns; Podman's slirp4netns,
aardvark-dns and rootlessport. Ten of the 50 publish a port. $ROOTLESS_BENCH_MANY is the number of containers on one network (200).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.cases.memory import program
from benchmarks.measure import Row
from benchmarks.places import PORT, Engine, engines, free_port
from benchmarks.world import IMAGE, World
from tests.harness import processes

NETWORKS = 100
COUNT = int(os.environ.get("ROOTLESS_BENCH_MANY") or 200)
_FOR_NETWORKS = ("rootless-netd", "slirp4netns", "pasta", "aardvark-dns", "rootlessport", "netavark")


def measure(world: World) -> list[Row]:
    if world.podman:  # as in many.py: the kernel's quota of keyrings would end it before the last container
        (world.podman.directory / "config/containers/containers.conf").write_text("[containers]\nkeyring = false\n")
    found = engines(world)
    figures = [_networks(found), _containers(found), *_memory(found)]
    rows = []
    for case, unit, values, goal in figures:
        if len(values) == 1:
            rows.append(Row(case, "", unit, values[0], 0.0, 0.0, None, 1))
        rows += [Row(case, "podman", unit, values[0], theirs, values[0] / theirs, goal, 1) for theirs in values[1:]]
    return rows


_Figure = tuple[str, str, list[float], float | None]


def _networks(found: list[Engine]) -> _Figure:
    subnets = {f"many-{number}": f"10.79.{number}.0/24" for number in range(NETWORKS)}  # more than there are in Docker's pools
    times = []
    for engine in found:
        times.append(_seconds(partial(_create, engine, subnets)) / NETWORKS)
        engine.run("network", "rm", *subnets, timeout=600)
    return f"{NETWORKS} networks: network create, each", "ms", [each * 1000 for each in times], None


def _create(engine: Engine, subnets: dict[str, str]) -> None:
    for name, subnet in subnets.items():
        engine.run("network", "create", "--subnet", subnet, name)


def _containers(found: list[Engine]) -> _Figure:
    """As many starts at a time as there are cores."""
    names = [f"many-{number}" for number in range(COUNT)]
    times = []
    for engine in found:
        engine.run("network", "create", "many")
        times.append(_seconds(partial(_start, engine, [(name, "--network", "many") for name in names])) / COUNT)
        last = engine.ask("exec", names[0], "nslookup", f"{names[-1]}.") if engine.name == "rootless" else "Name:"
        assert "Name:" in last, f"the first one does not know the last one: {last}"
        engine.run("rm", "--force", *names, timeout=900)
        engine.run("network", "rm", "many")
    return f"{COUNT} containers on one network: a start", "ms", [each * 1000 for each in times], 1 / 4


def _memory(found: list[Engine]) -> list[_Figure]:
    kib, count = [], []
    for engine in found:
        before = processes.descendants().keys()
        words = []
        for network in range(5):
            engine.run("network", "create", f"memory-{network}")
            for number in range(10):
                port = ("-p", f"{free_port()}:{PORT}") if number < 2 else ()
                words.append((f"memory-{network}-{number}", "--network", f"memory-{network}", *port))
        _start(engine, words)
        new = [each for key, each in processes.descendants().items() if key not in before]
        there = [each for each in new if program(each).startswith(_FOR_NETWORKS)]
        kib.append(sum(map(_pss_kib, there)))
        count.append(float(len(there)))
        engine.run("rm", "--force", *(name for name, *_ in words), timeout=600)
        engine.run("network", "rm", *(f"memory-{network}" for network in range(5)))
    case = "50 containers on 5 networks"
    return [(f"{case}: memory of all network processes", "KiB", kib, 1.0), (f"{case}: such processes", "", count, None)]


def _start(engine: Engine, words: list[tuple[str, ...]]) -> None:
    def start(one: tuple[str, ...]) -> None:
        name, *options = one
        engine.run("run", "-d", "--name", name, *options, IMAGE, "sleep", "100000", timeout=600)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for future in [pool.submit(start, one) for one in words]:
            future.result()


def _pss_kib(process: processes.Process) -> float:
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
