"""`stop`: PID 1 is asked to end, and killed where it does not. Hot path."""

from __future__ import annotations

from rootless.engine.lifecycle.pause import thaw
from rootless.engine.options.signals import parse_signal
from rootless.engine.state import restart, running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.linux import signal
from rootless.storage.containers import containers, paused
from rootless.storage.store import Store

DEFAULT_TIMEOUT_S = 10


def stop(
    store: Store,
    identifier: str,
    *,
    signal_name: str = "",
    timeout_s: int | None = None,
    by_hand: bool = True,
) -> None:
    """Ask PID 1 to end, and kill it after `timeout_s` (-1: never). Nothing where it does not run.

    No policy restarts it then; `by_hand` False leaves that open for the machine's next start.
    """
    with containers.lock(store, identifier):
        found = running.find(store, identifier)
        if found is None:
            running.refuse_elsewhere(store, identifier)
            running.wait_ended(store, identifier)
            state = containers.status(store, identifier).state
            # Exited: where its policy could not start it again (a full disk), it is not to come back at boot either.
            if state == "restarting" or (state == "exited" and by_hand):
                restart.cancel(store, identifier, by_hand=by_hand)
            return
        restart.cancel(store, identifier, by_hand=by_hand)
        record = read_config(store, identifier)
        if timeout_s is None:
            timeout_s = record["stop_timeout"]
        if timeout_s is None:
            timeout_s = DEFAULT_TIMEOUT_S
        with found:
            number = parse_signal(signal_name or record["stop_signal"])
            events.kill(store, record, number)
            asked = found.send(number)
            if found.state.get("paused"):
                thaw(found)
                try:
                    paused.write(containers.directory(store, identifier), found.state, paused=False)
                except OSError:
                    pass  # a full disk must not keep it from its end
            if asked and not found.wait(None if timeout_s < 0 else timeout_s):
                events.kill(store, record, signal.SIGKILL)
                found.kill()
    # The lock is free again: the clean-up of a --rm container takes it.
    running.wait_recorded(store, identifier)
    events.container(store, "stop", record)
