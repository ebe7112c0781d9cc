"""`container prune`: stopped containers removed in one go."""

from __future__ import annotations

from rootless.engine.lifecycle import remove
from rootless.engine.options import clock
from rootless.engine.options.patterns import passes_labels
from rootless.engine.state import damaged
from rootless.engine.state.events import events
from rootless.engine.state.pruned import Pruned
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.storage.containers import containers
from rootless.storage.maintenance import usage
from rootless.storage.store import Store

FILTERS = ("label", "label!", "until")


def prune(store: Store, *, filters: dict[str, list[str]]) -> Pruned:
    """Remove the containers that do not run. The caller has joined the session."""
    until = min((clock.parse_moment(text) for text in filters.get("until", ())), default=None)
    gone, reclaimed = [], 0
    for identifier in containers.ids(store):
        try:
            if containers.status(store, identifier).state not in ("created", "exited"):
                continue
            try:
                record = containers.config(store, identifier)
            except NotFound:
                raise
            except RootlessError:
                record = dict(damaged.record(store, identifier))
            if until is not None and clock.to_nanoseconds(record["created_at"]) >= until:
                continue
            if not passes_labels(record.get("labels") or {}, filters):
                continue
            size = usage.container_bytes(store, identifier)
            remove.remove(store, identifier)
        except (Conflict, NotFound):
            continue  # started, or removed, since we looked
        gone.append(identifier)
        reclaimed += size
    remove.sweep(store)  # what is left of others
    events.pruned(store, "container", reclaimed)
    return Pruned("container", gone, reclaimed)
