"""`network ls --filter`: what moby's list takes, with its meaning."""

from __future__ import annotations

from rootless.engine.networks import names, records, users
from rootless.engine.networks.records import NetworkConfig
from rootless.engine.options.patterns import has_labels, pattern
from rootless.errors import InvalidInput
from rootless.storage.store import Store

FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
_TYPES = ("builtin", "custom")


def select(store: Store, filters: dict[str, list[str]]) -> list[NetworkConfig]:
    """The networks that pass all filters, in natural order of their names. InvalidInput."""
    dangling = filters.get("dangling", [None])[-1]
    if dangling not in (None, "true", "1", "false", "0"):
        raise InvalidInput(f"invalid filter 'dangling={dangling}'", hint="dangling=true or dangling=false")
    for word in filters.get("type", ()):
        if word not in _TYPES:
            raise InvalidInput(f"invalid filter 'type={word}'", hint="builtin or custom")
    used = users.wanted(store) | set(names.PREDEFINED) if dangling else set()
    matchers = [pattern("name", word) for word in filters.get("name", ())]
    chosen = []
    for network in sorted([*records.every(store), *records.damaged(store)], key=lambda each: names.natural(each["name"])):
        kind = "builtin" if network["name"] in names.PREDEFINED else "custom"
        if dangling and (dangling in ("true", "1")) != (network["name"] not in used):
            continue
        if "driver" in filters and network["driver"] not in filters["driver"]:
            continue
        if "scope" in filters and "local" not in filters["scope"]:
            continue
        if "type" in filters and kind not in filters["type"]:
            continue
        if "id" in filters and not any(network["id"].startswith(word) for word in filters["id"]):
            continue
        if matchers and not any(match(network["name"]) for match in matchers):
            continue
        if has_labels(network["labels"], filters.get("label", ())):
            chosen.append(network)
    return chosen
