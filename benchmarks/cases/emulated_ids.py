"""Emulated ids (--emulate-ids=full) beside the kernel's own, and fakeroot and PRoot where they are installed: a start, all files of a
tree looked at, C compiled; and the memory of the program that answers.

"floor" is the same without a container, where all calls of the filter are asked for and left to the kernel (least_answer.c): what of
the difference no answer can save is its time less that of "no container"."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.cases.memory import private_kib
from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World
from rootless import paths
from tests.harness import processes

SOURCES = Path(__file__).parents[2] / "helpers"
HOST = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]
FIND = "/usr/bin/find {} -xdev -printf %U >/dev/null"
COMPILE = "cd /tmp && for each in {}/ids/*.c; do /usr/bin/gcc -D_GNU_SOURCE -O1 -I{} -c -o ids-one.o $each || exit 1; done; rm ids-one.o"
_GOAL_KIB = 200.0


def measure(world: World) -> list[Row]:
    """ms; KiB of memory. What the two make of the same directories: all of it is in the page cache."""
    least = world.directory / "least_answer"
    subprocess.run(["cc", "-O2", "-o", least, Path(__file__).parents[1] / "least_answer.c"], check=True, timeout=60)
    rows = interleaved("run --rm /bin/true, ids emulated", _ours(world, [], "/bin/true"), rounds=15)
    for case, script, inside, outside, goal in (
        ("find / with owners", FIND, "/usr/lib", "/usr/lib", 4),
        ("compile C", COMPILE, "/src", str(SOURCES), 1.15),
    ):
        contenders = _ours(world, [*HOST, "-v", f"{SOURCES}:/src:ro"], "/bin/sh", "-c", script.replace("{}", inside))
        host = ["/bin/sh", "-c", script.replace("{}", outside)]
        floor = [str(least), paths.helper("ids"), *host]
        for peer, argv in (("fakeroot", ["fakeroot", *host]), ("proot", ["proot", "-0", *host]), ("no container", host), ("floor", floor)):
            if shutil.which(argv[0]):
                contenders.append(Contender(peer, command(argv, {"PATH": "/usr/bin:/bin"})))
        rows += interleaved(f"{case}, ids emulated", contenders, rounds=5, goals={"real ids": goal})
    return [*rows, _memory(world)]


def _ours(world: World, options: list[str], *words: str) -> list[Contender]:
    found = []
    for name, level in (("rootless", "full"), ("real ids", "off")):
        argv = [*world.rootless.argv, "run", "--rm", "--network", "none", "--emulate-ids", level, *options, IMAGE, *words]
        found.append(Contender(name, command(argv, world.rootless.environment)))
    return found


def _memory(world: World) -> Row:
    """Of the program, once it has answered a few hundred calls."""
    world.rootless("run", "-d", "--name", "bench", "--network", "none", "--emulate-ids", "full", IMAGE, "sleep", "1000")
    try:
        world.rootless("exec", "bench", "sh", "-c", "touch /tmp/a; chown 1:1 /tmp/a; find / -xdev -user 1; su user -c id")
        kib = private_kib([each for each in processes.descendants().values() if "rootless-ids" in each.command])
        return Row("memory of what emulates ids", "(goal 200 KiB)", "KiB", kib, _GOAL_KIB, kib / _GOAL_KIB, 1, 1)
    finally:
        world.rootless("rm", "-f", "bench")
