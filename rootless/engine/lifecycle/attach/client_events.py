"""What an attached client does besides sending bytes, with its events: a resize, and its going by the detach keys."""

from __future__ import annotations

from rootless.engine.lifecycle.attach import attach
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig
from rootless.engine.state.events import events
from rootless.storage.store import Store


def resize(store: Store, record: ContainerConfig, rows: int, columns: int) -> None:
    """Tell a running container's terminal its size, in characters; it has it on return. Conflict where no monitor serves it."""
    attach.resize(running.run_directory(store, record["id"]), rows, columns)
    events.container(store, "resize", record, height=str(rows), width=str(columns))


def detached(store: Store, record: ContainerConfig) -> None:
    """Write that a client has left the container, which goes on."""
    events.container(store, "detach", record)
