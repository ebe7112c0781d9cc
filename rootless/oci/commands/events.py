"""`events`: a container's statistics and its OOM kills."""

from __future__ import annotations

import json
import os
import select
import sys
import time

from rootless.errors import Conflict, InvalidInput
from rootless.linux.process import pidfd_open_checked
from rootless.oci import state
from rootless.oci.cgroup.stats import statistics
from rootless.oci.commands.flags import root_of
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


def command(args: Arguments) -> int:
    """Print statistics as JSON lines: once with --stats, else at --interval until the container
    ends, with its OOM kills as they happen."""
    container = state.find(root_of(args), args.words[0])
    if container.status() == state.STOPPED:
        raise Conflict(f"container {container.id} is not running")
    if not container.cgroup:
        raise state.no_cgroup(f"container {container.id} has no statistics")
    seconds = _duration(args.value("--interval") or "5s")
    with _OomKills(container) as kills:
        while True:
            _print_event(container, "stats", statistics(container.cgroup))
            if args.flag("--stats"):
                return 0
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                alive = container.is_alive()  # asked first, so that the kill that ended it is printed
                if kills.wait(left if alive else 0):
                    _print_event(container, "oom", {})
                elif not alive:
                    return 0


class _OomKills:
    """The kernel's count of a container's OOM kills, which wakes us when it changes. systemd removes the cgroup as
    soon as it is empty, so polling would be too late for a container that is killed as a whole."""

    def __init__(self, container: Container) -> None:
        self._poll = select.poll()
        self._events = -1
        try:
            self._events = os.open(f"{container.cgroup}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
            self._poll.register(self._events, select.POLLPRI)
        except FileNotFoundError:
            pass  # no memory controller: nobody counts
        try:
            self._pidfd = pidfd_open_checked(container.pid, container.start_time)
        except ProcessLookupError:
            raise Conflict(f"container {container.id} is not running") from None
        self._poll.register(self._pidfd, select.POLLIN)
        self._seen = 0
        self._seen = self._count()

    def __enter__(self) -> _OomKills:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self._pidfd, self._events):
            if fd >= 0:
                os.close(fd)

    def wait(self, seconds: float) -> bool:
        """Wait for one, for the end of the container's init, or that long; whether there was one."""
        self._poll.poll(seconds * 1000)
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        try:
            words = os.pread(self._events, 4096, 0).split() if self._events >= 0 else []
        except OSError:  # the cgroup is gone, and would wake us for ever
            self._poll.unregister(self._events)
            os.close(self._events)
            self._events = -1
            return self._seen
        return int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else self._seen


def _print_event(container: Container, kind: str, data: dict[str, Any]) -> None:
    print(json.dumps({"type": kind, "id": container.id, "data": data}))
    sys.stdout.flush()


def _duration(text: str) -> float:
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit) if unit else text
        if text.endswith(unit) and number.replace(".", "", 1).isdecimal() and float(number) > 0:
            return float(number) * factor
    raise InvalidInput(f"--interval: {text!r} is not a duration such as 5s")
