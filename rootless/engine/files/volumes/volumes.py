"""Volumes by name, filtered and removed as Docker does: thin over storage/volumes.py."""

from __future__ import annotations

from typing import Any

from rootless.engine.files.volumes import options as volume_options
from rootless.engine.options.mounts import volume_name
from rootless.engine.options.patterns import has_labels, passes_labels, pattern
from rootless.engine.state.events import events
from rootless.engine.state.pruned import Pruned
from rootless.errors import Conflict, InvalidInput, NotSupported, RootlessError
from rootless.storage import pods
from rootless.storage import volumes as stored
from rootless.storage.containers import containers
from rootless.storage.maintenance import usage
from rootless.storage.store import Store
from rootless.storage.volumes import Volume

FILTERS = ("dangling", "driver", "label", "name")
PRUNE_FILTERS = ("all", "label", "label!")

__all__ = ["FILTERS", "PRUNE_FILTERS", "Volume", "create", "prune", "remove", "select", "users"]


def create(
    store: Store, name: str | None, *, driver: str = "local", options: list[str], labels: list[str]
) -> str:
    """Make the volume `name` (None: a random name, anonymous) unless it is there; its name."""
    if driver != "local":
        raise NotSupported(f"no volume driver '{driver}'", hint="`local` is the only one")
    asked = dict(_pair(word, "option") for word in options)
    volume_options.check(asked)
    pairs = dict(_pair(word, "label") for word in labels)
    if name is None:
        made, new = stored.create(store, None, labels=pairs, options=asked, anonymous=True), True
    else:
        volume_name(name)
        made, new = stored.ensure(store, name, labels=pairs, options=asked)
    if new:
        events.write(store, "volume", "create", made.name, driver="local")
    return made.name


def _pair(word: str, kind: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    if not key:
        raise InvalidInput(f"invalid {kind} '{word}'", hint="write key=value")
    return key, value


def users(store: Store) -> dict[str, list[str]]:
    """Volume name -> ids of the containers that mount it, and of pods whose containers will."""
    found: dict[str, list[str]] = {}
    for read, identifiers in ((_container, containers.ids(store)), (pods.config, pods.ids(store))):
        for identifier in identifiers:
            try:
                record = read(store, identifier)
            except RootlessError:
                continue  # removed while we looked, or damaged: `ps -a` and `pod ps` show that one
            for mount in record.get("mounts") or ():
                if mount.get("volume"):
                    found.setdefault(mount["volume"], []).append(identifier)
    return found


def _container(store: Store, identifier: str) -> dict[str, Any]:
    return containers.config(store, identifier, {"mounts": [{"volume": str}]})


def select(store: Store, filters: dict[str, list[str]]) -> list[Volume]:
    """The volumes that pass all filters, by name."""
    dangling = filters.get("dangling", [None])[-1]
    if dangling not in (None, "true", "1", "false", "0"):
        raise InvalidInput(f"invalid filter 'dangling={dangling}'", hint="dangling=true or dangling=false")
    used = users(store) if dangling is not None else {}
    matchers = [pattern("name", word) for word in filters.get("name", ())]
    chosen = []
    for volume in sorted(stored.list_volumes(store), key=lambda volume: volume.name):
        if dangling is not None and (dangling in ("true", "1")) != (volume.name not in used):
            continue
        if "driver" in filters and "local" not in filters["driver"]:
            continue
        if matchers and not any(match(volume.name) for match in matchers):
            continue
        if has_labels(volume.labels, filters.get("label", ())):
            chosen.append(volume)
    return chosen


def remove(store: Store, name: str) -> None:
    """Delete the volume and what is in it; the caller has joined the session. Conflict while it is used."""
    found = stored.find(store, name)
    using = users(store).get(found.name)
    if using:
        raise Conflict(
            f"remove {name}: volume is in use - [{', '.join(using)}]",
            hint=f"remove the container first: `rootless rm {using[0][:12]}`",
        )
    stored.remove(store, found.name)
    events.write(store, "volume", "destroy", found.name, driver="local")


def prune(store: Store, *, every: bool, filters: dict[str, list[str]]) -> Pruned:
    """Remove the anonymous volumes, or all, that no container mounts, and what was left of removed ones. Wants the session joined."""
    every = every or filters.get("all", ["false"])[-1] in ("true", "1")
    used = users(store)
    names, reclaimed = [], 0
    for volume in select(store, {}):
        if volume.name in used or not (every or volume.anonymous):
            continue
        if not passes_labels(volume.labels, filters):
            continue
        size = usage.tree_bytes(volume.path)
        try:
            remove(store, volume.name)
        except RootlessError:
            continue  # taken into use since we looked
        names.append(volume.name)
        reclaimed += size
    stored.sweep(store)
    events.pruned(store, "volume", reclaimed)
    return Pruned("volume", names, reclaimed)
