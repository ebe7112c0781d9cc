"""`restart`: a container ended, if it runs, and started."""

from __future__ import annotations

from rootless.engine.lifecycle import start, stop
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.storage.store import Store


def restart(store: Store, identifier: str, *, signal_name: str = "", timeout_s: int | None = None) -> None:
    """Stop it, as stop.stop() does, and start it. The caller is in the session."""
    stop.stop(store, identifier, signal_name=signal_name, timeout_s=timeout_s)
    start.start(store, identifier)
    events.container(store, "restart", read_config(store, identifier))
