"""Whether a container runs whose state.json is damaged or gone: its monitor got all of it as arguments when it was made.

Imported where there is such a container.
"""

from __future__ import annotations

import itertools
import os
import time

from rootless.linux import process
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_NAME = b"rootless-monitor\0--pid\0"
_LONGEST = 1 << 16


def state(directory: str) -> dict[str, Any] | None:
    """What state.json in the container's `directory` would say of who and where it is, by the monitor that has the
    directory open, which nothing of a container can have; None where no monitor has. Its network is not known."""
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb", buffering=0) as file:
                line = file.read(_LONGEST)
            if _NAME in line and (found := _told(int(entry), line, directory)):
                return found
        except (OSError, ValueError):
            continue  # ended, or another user's, or something else by that name
    return None


def _told(monitor: int, line: bytes, directory: str) -> dict[str, Any] | None:
    words = os.fsdecode(line).split("\0")
    words = words[: words.index("--")] if "--" in words else words
    options = {name: value for name, value in itertools.pairwise(words) if name[:2] == "--"}
    if not os.path.samefile(f"/proc/{monitor}/fd/{int(options['--dir'])}", directory):
        return None
    pid, started = int(options["--pid"]), int(options["--start-time"])
    if process.alive(pid, started) and process.parent(pid) != monitor:
        return None
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - started * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    at = time.gmtime(max(0, time.time_ns() - age_ns) // 1_000_000_000)
    cgroup = options.get("--cgroup", "")
    return {
        "pid": pid,
        "start_time": started,
        "boot_id": process.boot_id(),
        "pid_namespace": process.pid_namespace(),
        "monitor_pid": monitor,
        "monitor_start_time": process.start_time(monitor),
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", at),
        "run_dir": os.readlink(f"/proc/{monitor}/fd/{int(options['--fallback-dir'])}"),
        "network": {},
        "cgroup": cgroup,
        "paused": _is_paused(pid, cgroup),
    }


def _is_paused(pid: int, cgroup: str) -> bool:
    try:
        with open(f"{cgroup}/cgroup.freeze", "rb", buffering=0) as file:
            return file.read(2)[:1] == b"1"
    except OSError:
        return process.stopped(pid)
