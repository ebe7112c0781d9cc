"""`network rm` and `network prune`."""

from __future__ import annotations

import os

from rootless.engine.networks import leases, names, records, users
from rootless.engine.options import clock
from rootless.engine.options.patterns import passes_labels
from rootless.engine.state.events import events
from rootless.errors import Conflict, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from rootless.engine.networks.records import NetworkConfig
    from rootless.storage.store import Store

PRUNE_FILTERS = ("label", "label!", "until")


def remove(store: Store, reference: str) -> None:
    """Remove the network. NotFound; Conflict, in Docker's words, while a running container is on it."""
    try:
        network = records.find(store, reference)
    except records.Damaged:
        _remove_damaged(store, reference)
        return
    if network["name"] in names.PREDEFINED:
        raise Conflict(f"{network['name']} is a pre-defined network and cannot be removed", hint="it is always there")
    with records.lock(store):
        network = records.read(store, network["name"])
        with leases.LeaseLock(store, network) as lock:
            active = lock.holders()
            if active:
                raise _in_use(store, network["name"], active)
            _discard(store, network)
    _forget([network])


def _remove_damaged(store: Store, name: str) -> None:
    """The file alone: nobody knows what else is the network's. What is left in the hub makes room for others."""
    with records.lock(store):
        active = {each for each in containers.ids(store) if name in users.endpoints(store, each)}
        if active:
            raise _in_use(store, name, active)
        path = f"{records.directory(store)}/{name}.json"
        try:
            os.unlink(path)
        except IsADirectoryError:
            from rootless.storage.remove_tree import remove_tree

            remove_tree(path)
    events.write(store, "network", "destroy", "", name=name, type="bridge")


def _in_use(store: Store, name: str, active: set[str]) -> Conflict:
    known = containers.names(store)
    named = sorted((known.get(identifier, identifier[:12]), identifier) for identifier in active)
    shown = ", ".join(f'name:"{name}" id:"{identifier[:12]}"' for name, identifier in named)
    return Conflict(
        f"error while removing network: network {name} has active endpoints ({shown})",
        hint=f"stop them, or take them off: rootless network disconnect {name} {named[0][0]}",
    )


def _discard(store: Store, network: NetworkConfig) -> None:
    records.discard(store, network)
    events.write(store, "network", "destroy", network["id"], name=network["name"], type=network["driver"])


def _forget(gone: list[NetworkConfig]) -> None:
    """Take the bridges of removed networks out of the hub, if there is one: what is left there has no containers and
    costs little, so no error of this is one of the removal."""
    from rootless.engine.networks import endpoints
    from rootless.network.hub import bridges, namespace
    from rootless.session import session

    try:
        hub = namespace.open_hub()
    except RootlessError:
        return  # no container of the user's is on a network
    try:
        session.join()
        for network in gone:
            bridges.remove_bridge(hub, endpoints.bridge(network))
    except RootlessError:
        pass
    finally:
        os.close(hub)


def prune(store: Store, *, filters: dict[str, list[str]]) -> list[str]:
    """Remove the networks that no container is on, nor is to be on; their names, in natural order."""
    until = min((clock.parse_moment(text) for text in filters.get("until", ())), default=None)
    gone: list[NetworkConfig] = []
    with records.lock(store):
        kept = users.wanted(store)
        for network in records.every(store):
            name = network["name"]
            if name in names.PREDEFINED or name in kept:
                continue
            if until is not None and clock.to_nanoseconds(network["created_at"]) >= until:
                continue
            if not passes_labels(network["labels"], filters):
                continue
            try:
                with leases.LeaseLock(store, network) as lock:
                    if not lock.holders():
                        _discard(store, network)
                        gone.append(network)
            except OSError:
                continue  # somebody removed its file by hand
    events.write(store, "network", "prune", "", reclaimed="0")
    if gone:
        _forget(gone)
    return [network["name"] for network in gone]
