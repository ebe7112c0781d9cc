"""restart.json: a container's restart policy and what became of it since it was started.

It is there as soon as a container with a policy was started, or its policy changed: the monitor
runs the command that decides (engine/state/restart.py) only where it finds it. Written by whoever holds
the container's lock. The rule itself is here because a container's status depends on it.

    name, retries        the policy, as Docker's
    restarts             since the last start by hand
    delay_ms             the last delay; the next one is twice as long
    due                  when the next start is, RFC 3339; "" while none is planned
    after                "PID:START TIME" of the run that `due` follows; of an older one it is void
    cancelled            whatever the policy, not after this run (stop, kill)
    stopped              stopped by hand: unless-stopped does not bring it back at boot either

On a full disk nothing can be written, and a container has to be stopped all the same: then the file is
renamed. Under the other name it says what it says, and that the restart is called off. Hot path.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.record import TYPE_CHECKING, Record
from rootless.storage import shape
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

FILE = "restart.json"
STOPPED, HALTED = "restart.stopped", "restart.halted"
"""restart.json's names where it could not be written again: called off by hand, and not by hand."""
POLICIES = ("no", "always", "on-failure", "unless-stopped")


class RestartState(Record):
    """restart.json."""

    name: str
    retries: int = 0
    restarts: int = 0
    delay_ms: int = 0
    due: str = ""
    after: str = ""
    cancelled: bool = False
    stopped: bool = False


def _path(store: Store, container_id: str, name: str = FILE) -> str:
    return f"{store.root}/containers/{container_id}/{name}"


def read(store: Store, container_id: str) -> RestartState | None:
    """What is written; None where there is nothing (no policy, or never started), or it is damaged."""
    for name in (FILE, STOPPED, HALTED):
        try:
            found = RestartState(**shape.read(_path(store, container_id, name), shape.RESTART))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            return None
        if name == FILE:
            return found
        return found._replace(cancelled=True, stopped=found.stopped or name == STOPPED, due="")
    return None


def write(store: Store, container_id: str, restart: RestartState, *, durable: bool = True) -> None:
    """Replace what is written; the caller holds the container's lock."""
    atomic.write_json(_path(store, container_id), restart._asdict(), durable=durable)
    for name in (STOPPED, HALTED):
        try:
            os.unlink(_path(store, container_id, name))
        except FileNotFoundError:
            pass


def call_off(store: Store, container_id: str, restart: RestartState, *, by_hand: bool) -> None:
    """`write` that the restart is cancelled; never fails, so that what runs can be ended first and last.

    Without space the file is renamed, which needs none, and is as safe from a kill or a power cut as a
    rename is. Where not even that can be done (a read-only file system) the policy finds no way back either:
    each start writes a state.json.
    """
    now = restart._replace(cancelled=True, stopped=restart.stopped or by_hand, due="")
    try:
        write(store, container_id, now)
        return
    except OSError:
        pass
    for name in (FILE, HALTED):
        try:
            os.rename(_path(store, container_id, name), _path(store, container_id, STOPPED if now.stopped else HALTED))
            return
        except OSError:
            continue


def run_of(state: dict[str, Any]) -> str:
    """Which run of a container its state.json speaks of."""
    return f"{state.get('pid', 0)}:{state.get('start_time', 0)}"


def is_planned(restart: RestartState, state: dict[str, Any]) -> bool:
    """Whether the next start is planned, or under way: until its own state.json replaces this one."""
    return bool(restart.due) and restart.after == run_of(state)


def comes_back(restart: RestartState, exit_code: int) -> bool:
    """Docker's rule: whether the policy starts a container again that ended with this code."""
    if restart.cancelled:
        return False
    if restart.name == "on-failure":
        return exit_code != 0 and (not restart.retries or restart.restarts < restart.retries)
    return restart.name in ("always", "unless-stopped")


def starts_at_boot(restart: RestartState, exit_code: int) -> bool:
    """Docker's rule for containers that have run before, when the daemon (for us: the machine) starts."""
    if restart.name == "unless-stopped":
        return not restart.stopped
    return comes_back(restart._replace(cancelled=False), exit_code)
