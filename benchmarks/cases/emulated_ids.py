"""Emulated ids (--emulate-ids=full) beside the kernel's own, and fakeroot and PRoot where they are installed: a start, all files of a
tree looked at, C compiled, Debian's packages installed, programs that ask for no ids; and the memory of the program that answers.

"floor" is the same without a container, where all calls of the filter are asked for and left to the kernel (least_answer.c): what of
the difference no answer can save is its time less that of "no container". An install's floor is in a container: with real ids it is
right to leave all to the kernel."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path

from benchmarks.cases.memory import private_kib
from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.processor import used
from benchmarks.world import IMAGE, World
from rootless import paths
from tests.harness import images, processes

SOURCES = Path(__file__).parents[2] / "helpers"
HOST = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]
FIND = "/usr/bin/find {} -xdev -printf %U >/dev/null"
COMPILE = "cd /tmp && for each in {}/ids/*.c; do /usr/bin/gcc -D_GNU_SOURCE -O1 -I{} -c -o ids-one.o $each || exit 1; done; rm ids-one.o"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qy -o Dpkg::Use-Pty=0 install /packages/*.deb"
# What the filter lets through: it is to cost the same.
PLAIN = {
    "compute": "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done",
    "read and write": "dd if=/dev/zero of=/dev/null bs=1 count=2000000",
    "pipe": "dd if=/dev/zero bs=512 count=400000 | cat >/dev/null",
}
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
    for case, script in PLAIN.items():
        rows += _processor_time(world, f"{case}, ids emulated", _both([IMAGE, "sh", "-c", f"({script}) 2>/dev/null"]), rounds=5, goal=1.0)
    return [*rows, *install(world), _memory(world)]


def install(world: World, rounds: int = 2) -> list[Row]:
    """Seven servers of Debian with all that they need, without a network: seconds of processor time, of all processes."""
    least, cache = world.directory / "least_answer-static", Path.home() / ".cache/rootless-tests"
    subprocess.run(["cc", "-O2", "-static", "-o", least, Path(__file__).parents[1] / "least_answer.c"], check=True, timeout=60)
    image = images.ensure(world.rootless, "debian:bookworm", images.debian_archive(cache))
    packages = ["-v", f"{images.server_packages(cache)}:/packages:ro"]
    contenders = _both([*packages, image, "sh", "-c", INSTALL])
    floor = ["-v", f"{least}:/least:ro", "-v", f"{paths.helper('ids')}:/ids:ro", image, "/least", "/ids", "sh", "-c", INSTALL]
    contenders["floor"] = _words("off", [*packages, *floor])
    return _processor_time(world, "install seven packages, ids emulated", contenders, rounds=rounds, goal=1.1)


def _processor_time(world: World, case: str, contenders: dict[str, list[str]], *, rounds: int, goal: float) -> list[Row]:
    """In turns, once without being counted: all of it is in the page cache."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(1 + rounds):
        for name, words in contenders.items():
            spent = used([*world.rootless.argv, *words], world.rootless.environment).seconds
            if number:
                seconds[name].append(spent)
    ours, rows = seconds.pop("rootless"), []
    for name, theirs in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        middle = statistics.median(ours), statistics.median(theirs)
        rows.append(Row(case, name, "s of processor", *middle, ratio, goal if name == "real ids" else None, rounds))
    return rows


def _words(level: str, words: list[str]) -> list[str]:
    return ["run", "--rm", "--network", "none", "--emulate-ids", level, *words]


def _both(words: list[str]) -> dict[str, list[str]]:
    return {name: _words(level, words) for name, level in (("rootless", "full"), ("real ids", "off"))}


def _ours(world: World, options: list[str], *words: str) -> list[Contender]:
    both = _both([*options, IMAGE, *words]).items()
    return [Contender(name, command([*world.rootless.argv, *argv], world.rootless.environment)) for name, argv in both]


def _memory(world: World) -> Row:
    """Of the program, once it has answered a few hundred calls."""
    world.rootless("run", "-d", "--name", "bench", "--network", "none", "--emulate-ids", "full", IMAGE, "sleep", "1000")
    try:
        world.rootless("exec", "bench", "sh", "-c", "touch /tmp/a; chown 1:1 /tmp/a; find / -xdev -user 1; su user -c id")
        kib = private_kib([each for each in processes.descendants().values() if "rootless-ids" in each.command])
        return Row("memory of what emulates ids", "(goal 200 KiB)", "KiB", kib, _GOAL_KIB, kib / _GOAL_KIB, 1, 1)
    finally:
        world.rootless("rm", "-f", "bench")
