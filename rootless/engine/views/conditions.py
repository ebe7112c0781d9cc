"""What `wait --condition` waits for: a container's state, or the verdict of its health check."""

from __future__ import annotations

import time

from rootless.engine.state import listing
from rootless.errors import NotFound
from rootless.storage.store import Store

# Podman's words for what has other names here.
_STATES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "exited"}


def wait(store: Store, identifier: str, wanted: list[str], *, interval_s: float) -> int:
    """Look every `interval_s` until one of `wanted` holds; the exit code of what has ended, else -1.
    NotFound where it is removed meanwhile."""
    states = {_STATES.get(word, word) for word in wanted}
    while True:
        row = next((row for row in listing.rows(store, every=True) if row.id == identifier), None)
        if row is None:
            raise NotFound(f"No such container: {identifier}")
        if row.status.state in states or row.health in states:
            return row.status.exit_code if row.status.state == "exited" else -1
        time.sleep(interval_s)
