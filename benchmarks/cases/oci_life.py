"""What a shim calls in a container's life, verb by verb, of a busybox bundle: rootless-oci and runc in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.world import World
from tests.harness.processes import wait_until
from tests.oci.bundles import installed

ROUNDS = 25
VERBS = ("create", "state", "start", "kill", "delete")


def measure(world: World) -> list[Row]:
    assert world.runc, "runc is not installed"
    beside = Path(sys.executable).with_name("rootless-oci")
    lives = [_Life(world, "rootless-oci", str(beside if beside.exists() else installed(world.directory))), _Life(world, "runc", world.runc)]
    times: dict[str, list[list[float]]] = {verb: [] for verb in VERBS}
    for _ in range(1 + ROUNDS):
        for verb in VERBS:
            times[verb].append([each.call_ms(verb) for each in lives])
    rows = []
    for verb in VERBS:
        pairs = times[verb][1:]  # the first is the warm-up
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        rows.append(Row(f"rootless-oci {verb}", "runc", "ms", ours, theirs, ratio, 1.0, ROUNDS))
    return rows


class _Life:
    """One runtime's container, again and again."""

    def __init__(self, world: World, name: str, program: str) -> None:
        bundle = world.runc_bundle("sleep", "1000")
        self._pid_file = bundle / "pid"
        self._argv = [program, "--root", str(world.directory / f"life-{name}")]
        self._words = {"create": ["--bundle", str(bundle), "--pid-file", str(self._pid_file), "c"], "kill": ["c", "KILL"]}
        self._environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "XDG_RUNTIME_DIR": str(world.rootless.runtime)}

    def call_ms(self, verb: str) -> float:
        """How long the verb took; after `kill` the container is dead."""
        argv = [*self._argv, verb, *self._words.get(verb, ["c"])]
        begin = time.perf_counter()
        # No pipe: it would be the container's, too, and have no end.
        status = subprocess.call(
            argv, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )
        elapsed_ms = (time.perf_counter() - begin) * 1000
        if status:
            raise RuntimeError(f"{' '.join(argv)}: {status}")
        if verb == "kill":
            init = Path("/proc", self._pid_file.read_text(), "exe")
            wait_until(lambda: not init.exists(), "the init ends")
        return elapsed_ms
