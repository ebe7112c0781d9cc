"""How much memory a whole build takes, and a push: bounded, however large the context and its files are.

Two measures, since each misses something: the kernel's own record of the largest process, and looks at what all
processes hold together while they run (each page once: Pss).
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.writable_registry import WritableRegistry

LIMIT_KIB = 150 << 10
LARGE_BYTES = 400 << 20


def held_kib(before: set[tuple[int, int]], but: int) -> int:
    """What all processes that were not there before hold together, without the pid `but`; other users' are not to be seen, nor ours."""
    total = 0
    for key, process in processes.descendants().items():
        if key not in before and process.pid != but:
            try:
                text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


# By a small process: what a program has held counts what its parent held when it was forked, which is us with all tests before this one.
MEASURED = """
import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_kib(rootless: Rootless, *words: str | Path, stdin: Path | None = None) -> int:
    """Run it; the most that any process of it held, or all together when we looked."""
    before = set(processes.descendants())
    with (stdin or Path("/dev/null")).open("rb") as given:
        argv = [sys.executable, "-ISc", MEASURED, *rootless.argv, *map(str, words)]
        running = subprocess.Popen(
            argv, env=rootless.environment, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        together = [0]
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.02):
                together[0] = max(together[0], held_kib(before, running.pid))

        looking = threading.Thread(target=look)
        looking.start()
        held, said = running.communicate()
        ended.set()
        looking.join()
    assert running.returncode == 0, said
    assert together[0], "nothing was seen"
    return max(together[0], int(held))


def in_a_directory(context: Path) -> tuple[str | Path, Path | None]:
    for number in range(3000):
        (context / f"file{number}").write_bytes(b"small")
    return context, None


def on_stdin(context: Path) -> tuple[str | Path, Path | None]:
    archive = context.parent / "context.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(context, ".")
    return "-", archive


def as_an_archive(context: Path) -> tuple[str | Path, Path | None]:
    """ADD unpacks it; 400 KB packed."""
    with tarfile.open(context / "large.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(context / "large", "large")
    (context / "large").unlink()
    (context / "Dockerfile").write_text("FROM busybox\nADD large.tar.gz /\nRUN test -s /large\n")
    return context, None


@pytest.mark.parametrize("given", [in_a_directory, on_stdin, as_an_archive])
def test_a_large_context(
    rootless: Rootless, busybox_image: str, context: Path, given: Callable[[Path], tuple[str | Path, Path | None]]
) -> None:
    """Built, pushed and saved, no file and no layer of it is ever in memory."""
    with (context / "large").open("wb") as file:
        file.truncate(LARGE_BYTES)
    (context / "Dockerfile").write_text(f"FROM {busybox_image}\nCOPY . /copied\nRUN test -s /copied/large\n")
    where, stdin = given(context)
    assert peak_kib(rootless, "build", "-q", "-t", "large", where, stdin=stdin) < LIMIT_KIB
    with WritableRegistry() as server:
        assert peak_kib(rootless, "push", "-q", "large", f"{server.address}/x") < LIMIT_KIB
    assert peak_kib(rootless, "save", "-o", context.parent / "saved.tar", "large") < LIMIT_KIB


def test_a_process_that_slurps_is_seen(rootless: Rootless) -> None:
    """The measure itself: what it is blind for, no test would see."""
    slurping = Rootless(rootless.root, rootless.runtime)
    slurping.argv = ["/usr/bin/python3", "-c", "data = b'1' * (200 << 20)"]
    assert peak_kib(slurping) > LIMIT_KIB
