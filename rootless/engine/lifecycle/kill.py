"""`kill`: a signal to PID 1. Hot path."""

from __future__ import annotations

from rootless.engine.options.signals import parse_signal
from rootless.engine.state import restart, running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict
from rootless.linux import signal
from rootless.storage.containers import containers
from rootless.storage.store import Store


def kill(store: Store, identifier: str, signal_name: str = "KILL") -> None:
    """Send a signal to PID 1; with SIGKILL, wait until the end is recorded. Conflict where it does not run."""
    number = parse_signal(signal_name)
    found = running.find(store, identifier)
    if found is None and restart.has_policy(store, identifier):
        with containers.lock(store, identifier):
            running.wait_ended(store, identifier)
            if restart.cancel(store, identifier):
                return
            found = running.find(store, identifier)  # it has just been started again
    if found is None:
        raise Conflict(f"cannot kill container: {identifier}: container {identifier} is not running")
    with found:
        if number in (signal.SIGKILL, parse_signal(read_config(store, identifier)["stop_signal"])):
            restart.cancel_unlocked(store, identifier)
        events.kill(store, read_config(store, identifier), number)
        if number != signal.SIGKILL:
            found.send(number)
            return
        found.kill()
    running.wait_recorded(store, identifier)
