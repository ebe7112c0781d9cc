"""What a container is doing, derived from facts and never stored. Hot path."""

from __future__ import annotations

import os

from rootless.errors import NotFound
from rootless.linux import process
from rootless.record import TYPE_CHECKING, Record
from rootless.storage import shape
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


UNKNOWN = 137
"""The exit code of a container whose end nobody could record."""
_END = {"pid": int, "start_time": int, "status": int}
MONITOR_LOST = "monitor lost"
MONITOR_STOPPED = "its monitor is stopped: how it ended is not written down yet"
MACHINE_RESTARTED = "the machine was restarted"


class ContainerStatus(Record):
    """What is true of a container now, as far as the kernel and its files tell. Empty and 0: nothing of that kind."""

    state: str  # created | running | paused | restarting | exited | removing
    pid: int = 0  # of PID 1 on the host, while running or paused
    exit_code: int = 0  # while exited or restarting
    started_at: str = ""  # RFC 3339
    finished_at: str = ""  # RFC 3339
    oom_killed: bool = False
    error: str = ""  # why it is in this state, where that is not plain

    @property
    def unrecorded(self) -> bool:
        """Whether it has ended and nobody has written down how."""
        return not self.finished_at and self.error in (MONITOR_LOST, MACHINE_RESTARTED)


def read_state(store: Store, container_id: str) -> dict[str, Any]:
    """state.json, written by the last start. Where it is damaged or gone while the container runs, what its monitor
    knows. FileNotFoundError, ValueError as shape.read_state."""
    base = f"{store.root}/containers/{container_id}"
    try:
        return shape.read_state(base)
    except (FileNotFoundError, ValueError) as error:
        # One that has never run has no socket either.
        if isinstance(error, ValueError) or os.path.lexists(f"{store.runtime}/c/{container_id}/attach"):
            from rootless.storage import witness

            found = witness.state(base)
            if found is not None:
                return found
        raise


def status(store: Store, container_id: str) -> ContainerStatus:
    """What the container is doing, derived (docs/development/architecture.md, Files); takes no lock.

    NotFound only if the directory is gone.
    """
    try:
        state = read_state(store, container_id)
    except FileNotFoundError:
        return _without_state(store, container_id)
    except ValueError:
        return ContainerStatus("exited", exit_code=UNKNOWN, error="its state.json is damaged")
    if not state["pid"]:
        return _start_failed(state)
    if state.get("boot_id") != process.boot_id():
        return _recorded_end(store, container_id, state) or _unrecorded_end(state, MACHINE_RESTARTED)
    if state.get("pid_namespace") not in (None, process.pid_namespace()):
        # A store shared with a container, or the other way round: these pids are not ours to judge.
        return _recorded_end(store, container_id, state) or ContainerStatus(
            "running", started_at=_started_at(state), error="it runs in another pid namespace"
        )
    if process.alive(state["pid"], state.get("start_time", 0)):
        return ContainerStatus(
            "paused" if state.get("paused", False) else "running", pid=state["pid"], started_at=_started_at(state)
        )
    end = _recorded_end(store, container_id, state)
    if _monitor_lives(state):
        return _while_monitored(store, container_id, state, end)
    # The monitor may have written it and ended between our two looks: once more.
    return end or _recorded_end(store, container_id, state) or _unrecorded_end(state, MONITOR_LOST)


def _started_at(state: dict[str, Any]) -> str:
    return str(state.get("started_at", ""))


def _without_state(store: Store, container_id: str) -> ContainerStatus:
    if os.path.isdir(f"{store.root}/containers/{container_id}"):
        return ContainerStatus("created")
    if os.path.isdir(f"{store.containers}/.rm-{container_id}"):
        return ContainerStatus("removing")
    raise NotFound(f"No such container: {container_id}") from None


def _start_failed(state: dict[str, Any]) -> ContainerStatus:
    """Of one that could not be started: as Docker has it, still created; exited, where it had run before."""
    code, why = state.get("exit_code", 0), state.get("error", "")
    if not _started_at(state):
        return ContainerStatus("created", exit_code=code, error=why)
    return ContainerStatus(
        "exited", exit_code=code, started_at=_started_at(state), finished_at=state.get("finished_at", ""), error=why
    )


def _unrecorded_end(state: dict[str, Any], why: str) -> ContainerStatus:
    return ContainerStatus("exited", exit_code=UNKNOWN, started_at=_started_at(state), error=why)


def _monitor_lives(state: dict[str, Any]) -> bool:
    monitor = state.get("monitor_pid", 0)
    return bool(monitor) and process.alive(monitor, state.get("monitor_start_time", 0))


def _while_monitored(
    store: Store, container_id: str, state: dict[str, Any], end: ContainerStatus | None
) -> ContainerStatus:
    """Of one that has ended while its monitor lives: the monitor is about to record the end, or to restart it."""
    if end is not None:
        return _perhaps_restarting(store, container_id, end, state)
    if process.stopped(state["monitor_pid"]):
        return _unrecorded_end(state, MONITOR_STOPPED)
    return ContainerStatus("running", pid=state["pid"], started_at=_started_at(state))


def _perhaps_restarting(store: Store, container_id: str, end: ContainerStatus, state: dict[str, Any]) -> ContainerStatus:
    """The process that was the monitor lives on to decide on a restart, to wait for it and to do it."""
    from rootless.storage.containers import restart

    policy = restart.read(store, container_id)
    if policy is not None and (restart.is_planned(policy, state) or restart.comes_back(policy, end.exit_code)):
        return end._replace(state="restarting")
    return end


def _recorded_end(store: Store, container_id: str, state: dict[str, Any]) -> ContainerStatus | None:
    """What the monitor wrote down of this very process; it falls back to RUNTIME when our disk is full."""
    fallback = state.get("run_dir") or f"{store.runtime}/c/{container_id}"
    damaged = False
    for place in (f"{store.root}/containers/{container_id}", fallback):
        try:
            end = shape.read(place + "/exit.json", _END)
        except FileNotFoundError:
            continue
        except ValueError:
            damaged = True
            continue
        if (end["pid"], end["start_time"]) != (state.get("pid"), state.get("start_time")):
            continue
        code, why = exit_code(end["status"]), end.get("error", "")
        if code < 0:
            code, why = UNKNOWN, "how it ended is damaged in its exit.json"
        finished_at = end.get("finished_at", "")
        return ContainerStatus(
            "exited",
            exit_code=code,
            started_at=_started_at(state),
            finished_at=finished_at if shape.fits(finished_at, "time") else "",
            oom_killed=end.get("oom_killed") is True,
            error=why if type(why) is str else "",
        )
    # A run before this one may have written the damaged file, but nobody need wait for this one's end then.
    return _unrecorded_end(state, "its exit.json is damaged") if damaged else None


def exit_code(status: int) -> int:
    """What a shell shows for a wait status: 128+n for a signal. -1 where it is not that of an end."""
    if not 0 <= status <= 0xFFFF or status & 0x7F == 0x7F:
        return -1
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8
