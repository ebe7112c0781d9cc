"""restart.json: a container's restart policy and what became of it since it was started. HOT.

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
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record
from rootless.storage import atomic
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

FILE = "restart.json"
POLICIES = ("no", "always", "on-failure", "unless-stopped")


class Restart(Record):
    """restart.json."""

    name: str
    retries: int = 0
    restarts: int = 0
    delay_ms: int = 0
    due: str = ""
    after: str = ""
    cancelled: bool = False
    stopped: bool = False


def _path(store: Store, container_id: str) -> str:
    return f"{store.root}/containers/{container_id}/{FILE}"


def read(store: Store, container_id: str) -> Restart | None:
    """What is written; None where there is nothing (no policy, or never started)."""
    try:
        found = atomic.read_json(_path(store, container_id))
        return Restart(**found)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(store: Store, container_id: str, restart: Restart, *, durable: bool = True) -> None:
    """Replace what is written; the caller holds the container's lock."""
    atomic.write_json(_path(store, container_id), restart._asdict(), durable=durable)


def run_of(state: dict[str, Any]) -> str:
    """Which run of a container its state.json speaks of."""
    return f"{state.get('pid', 0)}:{state.get('start_time', 0)}"


def is_planned(restart: Restart, state: dict[str, Any]) -> bool:
    """Whether the next start is planned, or under way: until its own state.json replaces this one."""
    return bool(restart.due) and restart.after == run_of(state)


def comes_back(restart: Restart, exit_code: int) -> bool:
    """Docker's rule: whether the policy starts a container again that ended with this code."""
    if restart.cancelled:
        return False
    if restart.name == "on-failure":
        return exit_code != 0 and (not restart.retries or restart.restarts < restart.retries)
    return restart.name in ("always", "unless-stopped")


def starts_at_boot(restart: Restart, exit_code: int) -> bool:
    """Docker's rule for containers that have run before, when the daemon (for us: the machine) starts."""
    if restart.name == "unless-stopped":
        return not restart.stopped
    return comes_back(restart._replace(cancelled=False), exit_code)
