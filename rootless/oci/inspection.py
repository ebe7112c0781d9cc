"""`list`, `ps`, `pause`, `resume` and `events`; `update` is in a file of its own."""

from __future__ import annotations

import json
import os
import select
import sys
import time

from rootless.errors import Conflict, InvalidInput, NotSupported
from rootless.linux.process import pidfd_open_checked
from rootless.oci import state
from rootless.oci.cgroup.stats import statistics
from rootless.oci.container import processes
from rootless.oci.running import root_of
from rootless.oci.update import update
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container

_NO_CGROUP = "it has no cgroup"
_HINT = "create it with --systemd-cgroup, or with a limit; `rootless doctor` says what is missing for cgroups"


def list_containers(args: Arguments) -> int:
    """Print the containers of --root."""
    found = [(container, container.status()) for container in state.all_containers(root_of(args))]
    if args.flag("--quiet"):
        for container, _ in found:
            print(container.id)
    elif args.value("--format") == "json":
        print(json.dumps([_row(container, status) for container, status in found]))
    elif args.value("--format") in (None, "table"):
        rows: list[tuple[str, ...]] = [("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")]
        for container, status in found:
            pid = "0" if status == state.STOPPED else str(container.pid)
            rows.append((container.id, pid, status, container.bundle, container.created, _owner(container)))
        _table(rows)
    else:
        raise InvalidInput("--format is table or json")
    return 0


def _row(container: Container, status: str) -> dict[str, Any]:
    document = container.document(status)
    document.setdefault("pid", 0)
    return {
        **document,
        "rootfs": container.rootfs,
        "created": container.created,
        "owner": _owner(container),
    }


def _owner(container: Container) -> str:
    """The name of who made it, as runc has it."""
    import pwd

    try:
        return pwd.getpwuid(int(container.owner)).pw_name
    except KeyError:
        return f"#{container.owner}"


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def ps(args: Arguments) -> int:
    """Print the container's processes: as `ps -ef` shows them, or their numbers as JSON."""
    container = state.find(root_of(args), args.words[0])
    if container.status() == state.STOPPED:
        raise Conflict(f"container {container.id} is not running")
    if args.value("--format") not in (None, "table", "json"):
        raise InvalidInput("--format is table or json")
    found = processes.pids(container)
    if args.value("--format") == "json":
        print(json.dumps(found))
        return 0
    import subprocess

    try:
        answer = subprocess.run(
            ["ps", *(args.words[1:] or ["-ef"])], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NotSupported("the program ps is not installed here", hint="--format json needs none") from None
    if answer.returncode:
        raise InvalidInput(f"ps: {' '.join(answer.stderr.split())}")
    lines = answer.stdout.splitlines()
    header = lines[0].split()
    if "PID" not in header:
        raise InvalidInput("these options of ps leave out the column PID")
    column = header.index("PID")
    print(lines[0])
    for line in lines[1:]:
        fields = line.split()
        if len(fields) > column and fields[column].isdecimal() and int(fields[column]) in found:
            print(line)
    return 0


def _freeze(args: Arguments, *, frozen: bool) -> int:
    from rootless.cgroup import cgroupfs

    verb, wanted = ("pause", state.RUNNING) if frozen else ("resume", state.PAUSED)
    with state.Held(root_of(args), args.words[0]) as container:
        found = container.status()
        if found not in (wanted, state.CREATED if frozen else wanted):
            raise Conflict(f"cannot {verb} container {container.id}: it is {found}")
        if not container.cgroup or not cgroupfs.can_freeze(container.cgroup):
            raise NotSupported(f"cannot {verb} container {container.id}: {_NO_CGROUP}", hint=_HINT)
        cgroupfs.freeze(container.cgroup, frozen=frozen)
    return 0


def pause(args: Arguments) -> int:
    """Freeze the container's cgroup."""
    return _freeze(args, frozen=True)


def resume(args: Arguments) -> int:
    """Thaw it."""
    return _freeze(args, frozen=False)


def events(args: Arguments) -> int:
    """Print statistics as JSON lines: once with --stats, else at --interval until the container
    ends, with its OOM kills as they happen."""
    container = state.find(root_of(args), args.words[0])
    if container.status() == state.STOPPED:
        raise Conflict(f"container {container.id} is not running")
    if not container.cgroup:
        raise NotSupported(f"container {container.id} has no statistics: {_NO_CGROUP}", hint=_HINT)
    seconds = _duration(args.value("--interval") or "5s")
    with _OomKills(container) as kills:
        while True:
            _print_event(container, "stats", statistics(container.cgroup))
            if args.flag("--stats"):
                return 0
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                alive = container.is_alive()  # asked first: what killed it is told
                if kills.wait(left if alive else 0):
                    _print_event(container, "oom", {})
                elif not alive:
                    return 0


class _OomKills:
    """The kernel's count of them, which wakes us when it changes. systemd removes the cgroup as soon as
    it is empty: to look at times would be too late for a container that is killed as a whole."""

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


COMMANDS = {
    "list": list_containers,
    "ps": ps,
    "pause": pause,
    "resume": resume,
    "update": update,
    "events": events,
}
