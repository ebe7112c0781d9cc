"""`network rm` and `network prune`."""

from __future__ import annotations

from rootless.engine.networks import names, records, users
from rootless.engine.options import clock
from rootless.engine.options.patterns import passes_labels
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.engine.networks.records import NetworkConfig
    from rootless.storage.store import Store

PRUNE_FILTERS = ("label", "label!", "until")


def remove(store: Store, reference: str) -> None:
    """Remove the network. NotFound; Conflict, in Docker's words, while a running container is on it."""
    network = records.find(store, reference)
    if network["name"] in names.PREDEFINED:
        raise Conflict(f"{network['name']} is a pre-defined network and cannot be removed", hint="it is always there")
    with records.lock(store):
        network = records.read(store, network["name"])
        active = users.of(store, network)
        if active:
            shown = ", ".join(f'name:"{user.name}" id:"{user.container[:12]}"' for user in active)
            raise Conflict(
                f"error while removing network: network {network['name']} has active endpoints ({shown})",
                hint=f"stop them, or take them off: rootless network disconnect {network['name']} {active[0].name}",
            )
        _discard(store, network)


def _discard(store: Store, network: NetworkConfig) -> None:
    records.discard(store, network)
    events.write(store, "network", "destroy", network["id"], name=network["name"], type=network["driver"])


def prune(store: Store, *, filters: dict[str, list[str]]) -> list[str]:
    """Remove the networks that no container is on, nor is to be on; their names, in natural order."""
    until = min((clock.parse_moment(text) for text in filters.get("until", ())), default=None)
    gone = []
    with records.lock(store):
        kept, active = users.wanted(store), users.every(store)
        for network in records.every(store):
            name = network["name"]
            if name in names.PREDEFINED or name in kept or network["id"] in active:
                continue
            if until is not None and clock.to_nanoseconds(network["created_at"]) >= until:
                continue
            if not passes_labels(network["labels"], filters):
                continue
            try:
                _discard(store, network)
            except (NotFound, RootlessError):
                continue
            gone.append(name)
    events.write(store, "network", "prune", "", reclaimed="0")
    return gone
