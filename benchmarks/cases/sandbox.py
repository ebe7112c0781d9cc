"""What the walls cost a start: the cached filter read and loaded, and a Landlock domain; and ids of its own."""

from __future__ import annotations

import os
import statistics
import struct
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, interleaved
from benchmarks.world import IMAGE, World
from rootless.linux.process import set_no_new_privs
from rootless.linux.seccomp import load_filter
from rootless.runtime.process import landlock
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.seccomp import profile

ROUNDS = 40
GOAL_MS = 1.0


def measure(world: World) -> list[Row]:
    cache = Path(world.rootless.root) / "seccomp"

    def read() -> bytes:
        return profile.compiled(profile.DEFAULT, list(DEFAULT_CAPABILITIES), cache_dir=str(cache)).bpf

    bpf = read()  # compiled
    rows = [
        _row("seccomp: find the compiled filter", _times(lambda: read())),
        _row("seccomp: load it", _times(lambda: load_filter(bpf))),
    ]
    if landlock.available():
        rows.append(_row("Landlock: a domain of scopes", _times(lambda: landlock.apply(3))))
    own = world.ours("run", "--rm", "--network", "none", "--userns=auto", IMAGE, "/bin/true")
    plain = world.ours("run", "--rm", "--network", "none", IMAGE, "/bin/true")
    return rows + interleaved("run --userns=auto", [own, plain._replace(name="--userns=host")], rounds=10)


def _times(action: Callable[[], object]) -> list[float]:
    """Milliseconds of `action`, each time in a process of its own: neither can be taken back."""
    found = []
    for _ in range(ROUNDS):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            set_no_new_privs()
            begin = time.perf_counter()
            action()
            os.write(writer, struct.pack("d", (time.perf_counter() - begin) * 1000))
            os._exit(0)
        os.close(writer)
        found.append(struct.unpack("d", os.read(reader, 8))[0])
        os.close(reader)
        os.waitpid(pid, 0)
    return found


def _row(case: str, times: list[float]) -> Row:
    middle = statistics.median(times)
    return Row(case, "(goal 1 ms)", "ms", middle, GOAL_MS, middle / GOAL_MS, 1, ROUNDS)
