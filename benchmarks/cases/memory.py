"""Private memory of what a running container keeps besides its command: our monitor, Podman's conmon.

The holder (one for each user, shared by all containers) and slirp4netns (the same for both) are not
counted here; the holder has a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.world import IMAGE, World
from tests.harness import processes

GOAL_KIB = 1536.0


def measure(world: World) -> list[Row]:
    """KiB, from Private_Clean + Private_Dirty of /proc/PID/smaps_rollup; Python among them fails."""
    before = processes.descendants().keys()
    ours = _started(before, lambda: world.rootless("run", "-d", "--name", "bench", IMAGE, "sleep", "1000"))
    theirs: list[processes.Process] = []
    if podman := world.podman:
        before = processes.descendants().keys()
        theirs = _started(before, lambda: podman("run", "-d", "--name", "bench", IMAGE, "sleep", "1000"))
    try:
        python = [each.command for each in ours if "python" in program(each)]
        if python:
            raise RuntimeError(f"an interpreter stays behind: {python}")
        monitor = private_kib([each for each in ours if "holder" not in program(each)])
        conmon = private_kib([each for each in theirs if "conmon" in program(each)])
        holders = [each for each in processes.descendants().values() if "holder" in program(each)]
        rows = [
            Row(
                "memory beside the command",
                "(goal 1.5 MB)",
                "KiB",
                monitor,
                GOAL_KIB,
                monitor / GOAL_KIB,
                1,
                1,
            )
        ]
        if conmon:
            rows.append(
                Row("memory beside the command", "conmon", "KiB", monitor, conmon, monitor / conmon, None, 1)
            )
        rows.append(Row("memory of the session's holder", "", "KiB", private_kib(holders), 0, 0, None, 1))
        return rows
    finally:
        world.both("rm", "--force", "bench")


def _started(before: Iterable[tuple[int, int]], start: Callable[[], object]) -> list[processes.Process]:
    """The processes that `start()` left running, without the command and slirp4netns."""
    known = set(before)
    start()
    found = processes.descendants()
    return [
        each
        for key, each in found.items()
        if key not in known and program(each) not in ("busybox", "slirp4netns")
    ]


def program(process: processes.Process) -> str:
    """The program's own name: the title it gave itself is not to be trusted."""
    try:
        return Path(f"/proc/{process.pid}/exe").readlink().name
    except OSError:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()


def private_kib(found: list[processes.Process]) -> float:
    """KiB that these processes alone hold."""
    return sum(private_kib_of(process.pid) for process in found)


def private_kib_of(pid: int) -> float:
    """The same of one process, by its number."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return float(sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:"))))
