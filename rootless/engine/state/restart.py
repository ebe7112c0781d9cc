"""Restart policies: what happens when PID 1 has ended, and who may prevent it.

The process that was the monitor stays the container's until the next start: it execs
`rootless container after-exit ID` (here: decide), which execs the C program again to wait, which
execs `rootless container start-again ID`. One pid, so one fact says that a container is
restarting, and one SIGKILL that it is not. docs/development/decisions/restart-policies.md. Hot path.
"""

from __future__ import annotations

import os
import time

from rootless import paths
from rootless.engine.options import clock
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.linux import signal
from rootless.storage.containers import containers
from rootless.storage.containers import restart as stored
from rootless.storage.containers.restart import RestartState
from rootless.storage.store import Store

FIRST_DELAY_MS, LONGEST_DELAY_MS = 100, 60_000
LONG_ENOUGH_S = 10
"""A container that ran so long begins with the shortest delay again."""


def parse(word: str) -> tuple[str, int]:
    """A --restart word: the policy's name and the retries of on-failure (0: any number)."""
    name, colon, retries = word.partition(":")
    if name not in ("", *stored.POLICIES):
        raise InvalidInput(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if colon and name != "on-failure":
        raise InvalidInput("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if colon and not (retries.isascii() and retries.isdecimal() and len(retries) < 10):
        raise InvalidInput(
            f"invalid restart policy format: maximum retry count must be an integer: '{word}'",
            hint="write on-failure[:MAX-RETRIES]",
        )
    return name or "no", int(retries or 0)


def of(store: Store, record: ContainerConfig) -> RestartState:
    """The container's policy and its history."""
    found = stored.read(store, record["id"])
    return found or RestartState(record["restart"]["name"], record["restart"]["retries"])


def has_policy(store: Store, identifier: str) -> bool:
    """Whether a policy is in force for the container; false before its first start."""
    found = stored.read(store, identifier)
    return found is not None and found.name != "no"


def check_policy(record: ContainerConfig, word: str) -> tuple[str, int]:
    """A --restart word for a container that is there; Conflict for one that is removed at its end."""
    name, retries = parse(word)
    if record["auto_remove"] and name != "no":
        raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    return name, retries


def set_policy(store: Store, record: ContainerConfig, word: str) -> None:
    """`update --restart`: takes effect at the next end of PID 1. The caller holds the container's lock."""
    name, retries = check_policy(record, word)
    stored.write(store, record["id"], of(store, record)._replace(name=name, retries=retries))


def begin(store: Store, record: ContainerConfig, *, again: bool) -> None:
    """The container is about to start; the caller holds its lock. `again`: by its policy."""
    if not again and containers.status(store, record["id"]).unrecorded:
        from rootless.engine.state import unrecorded_exits

        unrecorded_exits.notice(store, record["id"])
    found = stored.read(store, record["id"])
    if found is None:
        if record["restart"]["name"] in ("no", ""):
            return
        found = RestartState(record["restart"]["name"], record["restart"]["retries"])
    if not again:
        stored.write(store, record["id"], RestartState(found.name, found.retries))


def is_due(store: Store, identifier: str) -> bool:
    """Whether we, once the container's monitor, are still the ones to start it; its lock is held."""
    found = stored.read(store, identifier)
    state = running.read_state(store, identifier)
    return found is not None and stored.is_planned(found, state) and state.get("monitor_pid") == os.getpid()


def cancel(store: Store, identifier: str, *, by_hand: bool = True) -> bool:
    """No restart after this run; one that is planned is called off. The caller holds the lock.

    True where the container was restarting, and is now exited. `by_hand` False (the machine goes
    down) leaves it to the policy whether the container comes back at boot.
    """
    found = stored.read(store, identifier)
    if found is None:
        return False
    was_restarting = containers.status(store, identifier).state == "restarting"
    stored.call_off(store, identifier, found, by_hand=by_hand)
    if was_restarting and stored.is_planned(found, running.read_state(store, identifier)):
        # Written before: a monitor killed too late, in the middle of a start, does not write it.
        _end_waiting(store, identifier)
    return was_restarting


def cancel_unlocked(store: Store, identifier: str) -> bool:
    """`cancel` for `kill` and `rm`, which do not wait for a `stop` that is under way: that has cancelled."""
    if stored.read(store, identifier) is None:
        return False
    try:
        with containers.lock(store, identifier, blocking=False):
            return cancel(store, identifier)
    except (Conflict, NotFound):
        return False


def _end_waiting(store: Store, identifier: str) -> None:
    pidfd = running.monitor(store, identifier)
    if pidfd is None:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        running.wait_pidfd(pidfd, 10)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


def after_exit(store: Store, identifier: str) -> tuple[str, ...]:
    """Called by the process that was the monitor: what it is to exec next; () is nothing: the end."""
    from rootless.runtime.listen_fds import listen_fds
    from rootless.runtime.monitor import arguments

    with containers.lock(store, identifier):
        state = running.read_state(store, identifier)
        status = containers.status(store, identifier)
        found = stored.read(store, identifier)
        if found is None or state.get("monitor_pid") != os.getpid() or status.state != "restarting":
            return ()
        ran_s = 0.0
        if status.started_at and status.finished_at:
            ran_s = (clock.to_nanoseconds(status.finished_at) - clock.to_nanoseconds(status.started_at)) / 1e9
        delay_ms = next_delay_ms(found.delay_ms, ran_s)
        due = clock.from_nanoseconds(time.time_ns() + delay_ms * 1_000_000)
        stored.write(
            store,
            identifier,
            found._replace(
                restarts=found.restarts + 1, delay_ms=delay_ms, due=due, after=stored.run_of(state)
            ),
            durable=False,
        )
    wait = {"wait": delay_ms, "pass": listen_fds()}
    return tuple(arguments(wait, own_command("start-again", identifier)))


def next_delay_ms(last_ms: int, ran_s: float) -> int:
    """Docker's back-off: 100 ms, doubled up to a minute, from the start again after a run of ten seconds."""
    if ran_s >= LONG_ENOUGH_S or not last_ms:
        return FIRST_DELAY_MS
    return min(last_ms * 2, LONGEST_DELAY_MS)


def own_command(verb: str, identifier: str) -> tuple[str, ...]:
    """The command line of a hidden `rootless container` command, for the monitor to run."""
    return (*paths.own_program(), "container", verb, identifier)
