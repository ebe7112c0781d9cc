"""The console: its list with 200 containers, a log of a thousand lines a second in a browser, what it takes while nobody looks.

The browser is Debian's Chromium without a window. A stall is the longest that a page's scripts kept it from anything else (Long
Tasks, 50 ms and more), of ten seconds; shown is what of the lines that were written meanwhile stands in the page at their end.
"""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Row
from benchmarks.world import IMAGE, World
from tests.harness.browser import Window
from tests.harness.console import Browser, Console

CONTAINERS, ROUNDS = 200, 10
GOAL_MS, GOAL_KIB, GOAL_STALL_MS, GOAL_LINES = 150.0, 30_000.0, 200.0, 1000.0
LOOK_S, IDLE_S = 10.0, 10.0
LINES = """
n=0; while :; do i=0
while [ $i -lt 110 ]; do i=$((i + 1)); n=$((n + 1)); echo "$n: a line as long as lines of logs are, with 200 OK in it"; done
sleep 0.1; done
"""
WATCH = """
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((each) => each.duration))).observe({ type: 'longtask' });
"""
NEWEST = "return parseInt([...document.querySelectorAll('#log .line')].at(-1).lastChild.textContent)"


def measure(world: World) -> list[Row]:
    """Milliseconds, KiB, context switches."""
    console = Console(world.rootless, "--listen", "127.0.0.1:0")
    found = re.search(r"(http://([0-9.:]+))(/login#login=\S+)", console.said)
    assert found
    window = Window()
    try:
        window.address = found[1]
        window.open(found[3])
        window.until_at("/containers")
        stall, lines = _log(world, window)
    finally:
        window.close()
        console.stop()
    console = Console(world.rootless)
    try:
        browser = console.log_in()
        browser.page("/containers")
        time.sleep(1)
        idle = _idle(console.process.pid)
        page = _page(world, browser)
    finally:
        console.stop()
    return [
        Row(f"console: the list of {CONTAINERS} containers", "(goal 150 ms)", "ms", page, GOAL_MS, page / GOAL_MS, 1, ROUNDS),
        Row("console: stall, 1000 log lines a second", "(goal 200 ms)", "ms", stall, GOAL_STALL_MS, stall / GOAL_STALL_MS, 1, 1),
        Row("console: lines a second shown", "(goal 1000)", "/s", lines, GOAL_LINES, GOAL_LINES / max(lines, 1), 1, 1),
        Row("console: private memory", "(goal 30 MB)", "KiB", idle.private_kib, GOAL_KIB, idle.private_kib / GOAL_KIB, 1, 1),
        Row("console: resident memory, libraries of others too", "", "KiB", idle.resident_kib, 0, 0, None, 1),
        Row(f"console: wakes in {IDLE_S:.0f} s that nobody looks", "", "", idle.wakes, 0, 0, None, 1),
    ]


def _page(world: World, browser: Browser) -> float:
    """Milliseconds from the request to the whole page, the engine's part included; the median."""
    for number in range(CONTAINERS):
        world.rootless("create", "--name", f"bench{number}", IMAGE, "true")
    times = []
    try:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            text = browser.page("/containers")
            times.append((time.perf_counter() - begin) * 1000)
        assert f"{CONTAINERS} containers" in text
    finally:
        world.rootless("rm", *(f"bench{number}" for number in range(CONTAINERS)), timeout=600)
    return statistics.median(times)


def _log(world: World, window: Window) -> tuple[float, float]:
    """The longest stall in milliseconds, and the lines that were shown a second."""
    world.rootless("run", "-d", "--name", "bench", "--network", "none", IMAGE, "sh", "-c", LINES)
    try:
        window.open("/containers/bench/logs")
        window.until("no lines", "document.querySelectorAll('#log .line').length > 2000")
        window.run(WATCH)
        first, begin = window.run(NEWEST), time.perf_counter()
        time.sleep(LOOK_S)
        last, passed = window.run(NEWEST), time.perf_counter() - begin
        return max([0.0, *window.run("return tasks")]), (last - first) / passed
    finally:
        world.rootless("rm", "-f", "bench")


class _Idle(NamedTuple):
    private_kib: float
    resident_kib: float
    wakes: float


def _idle(pid: int) -> _Idle:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    sizes = {key: float(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB", rollup, re.MULTILINE)}
    before = _switches(pid)
    time.sleep(IDLE_S)
    return _Idle(sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Rss"], _switches(pid) - before)


def _switches(pid: int) -> int:
    return sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii")))
