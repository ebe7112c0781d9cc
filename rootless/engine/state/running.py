"""What runs: handles on a container's PID 1 and monitor that cannot mean another process. Hot path."""

from __future__ import annotations

import os
import select
import time

from rootless.errors import Conflict, NotFound, RootlessError
from rootless.linux import process, signal
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.containers import containers, status
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


KILLED_S = 10.0
"""How long the end of a killed PID 1 may take."""
REMOVED_S = 30.0
"""How long a --rm container's removal may keep the command that was its last."""


class RunningContainer(Record):
    """A container that ran when this was made. `pidfd` is PID 1's and belongs to the holder of this."""

    id: str
    pid: int
    start_time: int
    pidfd: int
    state: dict[str, Any]

    def send(self, number: int) -> bool:
        """Send a signal to PID 1; False where it has ended."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL PID 1 and wait for its end. RootlessError, in Docker's words, where that does not come: what
        holds a dead process of the container (a command that waits for it, and is stopped) holds its first, too."""
        self.send(signal.SIGKILL)
        if not self.wait(KILLED_S):
            raise RootlessError(
                f"container {self.id[:12]}: tried to kill container, but did not receive an exit event",
                hint="a process of it is stuck in the kernel, or kept by a command that is stopped, as by Ctrl-Z: an "
                "`exec` of this container?",
            )

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for PID 1's end; whether it came in time."""
        return wait_pidfd(self.pidfd, timeout_s)

    def close(self) -> None:
        """Give the descriptor up."""
        os.close(self.pidfd)

    def __enter__(self) -> RunningContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_state(store: Store, identifier: str) -> dict[str, Any]:
    """state.json: written by the last start; {} where it never ran, or it is damaged and does not run."""
    try:
        return status.read_state(store, identifier)
    except (FileNotFoundError, ValueError):
        return {}


def run_directory(store: Store, identifier: str) -> str:
    """Where the sockets of the container's last run are: RUNTIME was perhaps another then."""
    return str(read_state(store, identifier).get("run_dir") or f"{store.runtime}/c/{identifier}")


def join_session(store: Store, identifier: str) -> None:
    """Join the session that the container runs in; any, where it does not run."""
    from rootless.session import session

    found = find(store, identifier)
    if found is None:
        session.join()
        return
    with found:
        session.join_of(found.pid)


def find(store: Store, identifier: str) -> RunningContainer | None:
    """The running container of this id; None where it does not run (a zombie does not)."""
    state = read_state(store, identifier)
    pid, start_time = int(state.get("pid") or 0), int(state.get("start_time") or 0)
    if not pid or not _is_of_here(state) or not process.alive(pid, start_time):
        return None
    try:
        pidfd = process.pidfd_open_checked(pid, start_time)
    except ProcessLookupError:
        return None
    return RunningContainer(identifier, pid, start_time, pidfd, state)


def _is_of_here(state: dict[str, Any]) -> bool:
    """Whether the pids of a state mean the processes we see: same boot, same pid namespace."""
    namespace = process.pid_namespace()
    return state.get("boot_id") == process.boot_id() and state.get("pid_namespace", namespace) == namespace


def refuse_elsewhere(store: Store, identifier: str) -> None:
    """Conflict for a container that runs, but where we cannot reach it: in another pid namespace."""
    state = read_state(store, identifier)
    if state.get("pid") and not _is_of_here(state) and containers.status(store, identifier).state == "running":
        raise Conflict(
            f"container {identifier[:12]} runs in another pid namespace",
            hint="go where it was started: the host, or the container it was started in",
        )


def require(store: Store, identifier: str) -> RunningContainer:
    """The running container of this id; Conflict in Docker's words where it does not run."""
    found = find(store, identifier)
    if found is None:
        if containers.status(store, identifier).state == "restarting":
            raise Conflict(f"Container {identifier} is restarting, wait until the container is running")
        raise Conflict(
            f"container {identifier} is not running", hint=f"start it: rootless start {identifier[:12]}"
        )
    return found


def monitor(store: Store, identifier: str) -> int | None:
    """A pidfd of the container's monitor; None where it has ended."""
    state = read_state(store, identifier)
    pid, start_time = int(state.get("monitor_pid") or 0), int(state.get("monitor_start_time") or 0)
    if not pid or not _is_of_here(state):
        return None
    try:
        return process.pidfd_open_checked(pid, start_time)
    except ProcessLookupError:
        return None


def wait_recorded(store: Store, identifier: str, timeout_s: float = 30.0, *, removed: bool = True) -> None:
    """Wait until the monitor has recorded the end and ended itself; not for a client of it that takes nothing,
    unless it is to have `removed` a --rm container. RootlessError where it is stopped and does not; not for ever
    where it is stuck."""
    pidfd = monitor(store, identifier)
    if pidfd is None:
        return
    pid = read_state(store, identifier).get("monitor_pid", 0)
    deadline = time.monotonic() + timeout_s
    try:
        while not wait_pidfd(pidfd, 1.0) and time.monotonic() < deadline:
            if process.stopped(pid):
                raise unrecorded(identifier, pid)
            awaited = removed and os.path.lexists(containers.directory(store, identifier) + "/transient")
            if not awaited and (not exists(store, identifier) or containers.status(store, identifier).finished_at):
                return
    finally:
        os.close(pidfd)


def unrecorded(identifier: str, pid: int) -> RootlessError:
    """The error for a container that has ended, whose monitor `pid` is stopped."""
    return RootlessError(
        f"container {identifier[:12]} has ended, but its monitor (process {pid}) is stopped: how it ended is not written down",
        hint=f"let it go on: kill -CONT {pid}; or remove the container: rootless rm -f {identifier[:12]}",
    )


def wait_ended(store: Store, identifier: str, timeout_s: float = 30.0) -> None:
    """Wait until the end of a container that does not run any more is written down.

    Its monitor may live on, to clean up or to restart it: the holder of the container's lock
    need not wait for that.
    """
    deadline = time.monotonic() + timeout_s
    while containers.status(store, identifier).state == "running" and time.monotonic() < deadline:
        pidfd = monitor(store, identifier)
        if pidfd is None:
            return
        try:
            wait_pidfd(pidfd, 0.02)
        finally:
            os.close(pidfd)


def wait_pidfd(pidfd: int, timeout_s: float | None) -> bool:
    """Wait until the process of `pidfd` has ended; whether it did within `timeout_s` (None: for ever)."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if poller.poll(left):
            return True
        if left is not None and left <= 0:
            return False


def exists(store: Store, identifier: str) -> bool:
    """Whether the container's directory is still there."""
    try:
        containers.status(store, identifier)
    except NotFound:
        return False
    return True
