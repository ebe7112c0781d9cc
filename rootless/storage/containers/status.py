"""What a container is doing, derived from facts and never stored. HOT."""

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
    """What is true of a container now, as far as the kernel and its files tell."""

    state: str  # created | running | paused | restarting | exited | removing
    pid: int  # 0 unless running or paused
    exit_code: int  # 0 unless exited or restarting
    started_at: str  # RFC 3339, "" = never
    finished_at: str
    oom_killed: bool
    error: str  # why it is in this state, where that is not plain

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
    """What the container is doing, derived (docs/architecture.md, Files); takes no lock.

    NotFound only if the directory is gone.
    """
    base = f"{store.root}/containers/{container_id}"
    try:
        state = read_state(store, container_id)
    except FileNotFoundError:
        if not os.path.isdir(base):
            if os.path.isdir(f"{store.containers}/.rm-{container_id}"):
                return ContainerStatus("removing", 0, 0, "", "", False, "")
            raise NotFound(f"No such container: {container_id}") from None
        return ContainerStatus("created", 0, 0, "", "", False, "")
    except ValueError:
        return ContainerStatus("exited", 0, UNKNOWN, "", "", False, "its state.json is damaged")
    pid, start_time = state["pid"], state.get("start_time", 0)
    started_at = state.get("started_at", "")
    if not pid:
        # It could not be started; as Docker has it, it is still only created.
        code, why = state.get("exit_code", 0), state.get("error", "")
        if started_at:  # it had run before
            return ContainerStatus("exited", 0, code, started_at, state.get("finished_at", ""), False, why)
        return ContainerStatus("created", 0, code, "", "", False, why)
    same_boot = state.get("boot_id") == process.boot_id()
    if same_boot and state.get("pid_namespace") not in (None, process.pid_namespace()):
        # A store shared with a container, or the other way round: these pids are not ours to judge.
        ended = _recorded_end(store, container_id, state)
        elsewhere = ContainerStatus("running", 0, 0, started_at, "", False, "it runs in another pid namespace")
        return elsewhere if ended is None else ended._replace(started_at=started_at)
    if same_boot and process.alive(pid, start_time):
        paused = state.get("paused", False)
        return ContainerStatus("paused" if paused else "running", pid, 0, started_at, "", False, "")
    monitor, monitor_start = state.get("monitor_pid", 0), state.get("monitor_start_time", 0)
    for _ in range(2):
        end = _recorded_end(store, container_id, state)
        if end is not None:
            end = end._replace(started_at=started_at)
            if same_boot and monitor and process.alive(monitor, monitor_start):
                return _perhaps_restarting(store, container_id, end, state)
            return end
        if same_boot and monitor and process.alive(monitor, monitor_start):
            # It has just ended, and its monitor is about to write down how; if nobody has halted that.
            if process.stopped(monitor):
                return ContainerStatus("exited", 0, UNKNOWN, started_at, "", False, MONITOR_STOPPED)
            return ContainerStatus("running", pid, 0, started_at, "", False, "")
        # The monitor may have written it and ended between our two looks: once more.
    why = MONITOR_LOST if same_boot else MACHINE_RESTARTED
    return ContainerStatus("exited", 0, UNKNOWN, started_at, "", False, why)


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
            "exited", 0, code, "", finished_at if shape.fits(finished_at, "time") else "",
            end.get("oom_killed") is True, why if type(why) is str else "",
        )  # fmt: skip
    # A run before this one may have written it; that this one's end is about to be written, nobody need wait for then.
    return ContainerStatus("exited", 0, UNKNOWN, "", "", False, "its exit.json is damaged") if damaged else None


def exit_code(status: int) -> int:
    """What a shell shows for a wait status: 128+n for a signal. -1 where it is not that of an end."""
    if not 0 <= status <= 0xFFFF or status & 0x7F == 0x7F:
        return -1
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8
