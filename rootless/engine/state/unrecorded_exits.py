"""Exits no monitor recorded (it was killed, or the machine went down): the first command that finds one records it.

There is no daemon, so that command is the next `events`, or `start`, `rm` and the sweep of this container.
Imported where such a container has been found.
"""

from __future__ import annotations

import time

from rootless import atomic
from rootless.engine.options import clock
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import event_log, events
from rootless.errors import Conflict, RootlessError
from rootless.linux import signal
from rootless.storage.containers import containers
from rootless.storage.store import Store

PATIENCE_S = 1.0


def notice(store: Store, identifier: str) -> None:
    """Write exit.json and the event `die` of a run whose end nobody recorded, once; nothing for any other.

    The caller holds the container's lock. The time is that of noticing, as nobody knows the right one.
    """
    try:
        status = containers.status(store, identifier)
        if not status.unrecorded:
            return
        record = read_config(store, identifier)
    except RootlessError:
        return  # removed meanwhile, or damaged
    state = running.read_state(store, identifier)
    end = {
        "pid": state.get("pid"), "start_time": state.get("start_time"), "status": int(signal.SIGKILL),
        "finished_at": clock.now(), "error": status.error,
    }  # fmt: skip
    try:
        path = containers.directory(store, identifier) + "/exit.json"
        atomic.write_json(path, end, durable=not record["auto_remove"])
    except OSError:
        return  # a full disk: the next command tries again
    # A monitor that was killed between its event and its record has written the event.
    since = clock.to_nanoseconds(status.started_at) if status.started_at else 0
    if not event_log.has(store, identifier, "die", since):
        events.container(store, "die", record, exitCode=str(status.exit_code), error=status.error)


def notice_all(store: Store) -> None:
    """`notice` for every container; one that another process has locked for longer than a second is left to that."""
    for identifier in containers.ids(store):
        deadline = time.monotonic() + PATIENCE_S
        try:
            while containers.status(store, identifier).unrecorded and time.monotonic() < deadline:
                try:
                    with containers.lock(store, identifier, blocking=False):
                        notice(store, identifier)
                    break
                except Conflict:
                    time.sleep(0.02)
        except (RootlessError, OSError):
            continue  # it is gone
