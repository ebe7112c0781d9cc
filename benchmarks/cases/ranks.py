"""64 ranks of a step on one node at once, until the last of them says something: `run --shared`, and Charliecloud's ch-run on the same
tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import IMAGE, World

COUNT = int(os.environ.get("ROOTLESS_BENCH_RANKS") or 64)
_WAITS = ("sh", "-c", "echo up; read line; true")


class _Ranks:
    """`run` starts them, and returns when each has said its word; `end` lets them go."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.argv = argv
        self.environment = environment
        self.running: list[subprocess.Popen[bytes]] = []
        self.stdin = -1

    def run(self) -> None:
        said, says = os.pipe()
        stdin, self.stdin = os.pipe()
        self.running = [subprocess.Popen(self.argv, env=self.environment, stdin=stdin, stdout=says) for _ in range(COUNT)]
        os.close(says)
        os.close(stdin)
        left = COUNT * len("up\n")
        with open(said, "rb", buffering=0) as pipe:
            while left and (words := pipe.read(left)):
                left -= len(words)
        if left:
            self.end()
            raise RuntimeError(f"{self.argv}: not all of them began")

    def end(self) -> None:
        os.close(self.stdin)
        statuses = [each.wait(600) for each in self.running]
        if any(statuses):
            raise RuntimeError(f"{self.argv}: {statuses}")


def measure(world: World) -> list[Row]:
    run: tuple[str, ...] = ("run", "--shared=ranks", "-i", "--network", "host", IMAGE, *_WAITS)
    ours = _Ranks([*world.rootless.argv, *run], world.rootless.environment)
    contenders = [Contender("rootless", ours.run, ours.end)]
    ch_run = shutil.which("ch-run")
    if ch_run:
        theirs = _Ranks([ch_run, str(world.rootfs), "--", *_WAITS], world.rootless.environment)
        contenders.append(Contender("ch-run", theirs.run, theirs.end))
    else:
        print("    charliecloud-runtime is not installed: ours alone", file=sys.stderr)
    return interleaved(f"{COUNT} ranks, the last one's first word", contenders, rounds=5)
