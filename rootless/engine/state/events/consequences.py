"""Docker's events that follow from others: a start connects the network and mounts the volumes, an end lets them go.

A container's lines of the log say what it has (events.connections); the events are made when the log is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rootless.engine.state.listing import network_id

Entry = dict[str, Any]
_DRIVERS = {"none": "null"}


def expand(entry: Entry) -> Iterator[Entry]:
    """The entry, and the events that Docker has before a start or after an end. Pure."""
    if entry.get("type") != "container" or entry["action"] not in ("start", "die"):
        yield entry
    elif entry["action"] == "start":
        yield from _network(entry, "connect")
        for name, target, writable in _volumes(entry):
            access = {"destination": target, "propagation": "", "read/write": "true" if writable else "false"}
            yield _of(entry, "volume", "mount", name, {"driver": "local", **access})
        yield entry
    else:
        yield entry
        yield from _network(entry, "disconnect")
        for name, _, _ in _volumes(entry):
            yield _of(entry, "volume", "unmount", name, {"driver": "local"})


def _network(entry: Entry, action: str) -> Iterator[Entry]:
    networks = entry.get("networks")
    if isinstance(networks, dict):
        for name, identifier in networks.items():
            yield _of(entry, "network", action, str(identifier) or network_id(name), {"name": name, "type": "bridge"})
        return
    mode = entry.get("network")
    if isinstance(mode, str) and mode and not mode.startswith("container:"):
        attributes = {"name": mode, "type": _DRIVERS.get(mode, mode)}
        yield _of(entry, "network", action, network_id(mode), attributes)


def _volumes(entry: Entry) -> list[tuple[str, str, bool]]:
    found = entry.get("volumes")
    return [
        (str(each[0]), str(each[1]), bool(each[2]))
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, list) and len(each) == 3
    ]


def _of(entry: Entry, kind: str, action: str, identifier: str, attributes: dict[str, str]) -> Entry:
    return {
        "time_ns": entry["time_ns"],
        "action": action,
        "type": kind,
        "id": identifier,
        "attributes": {"container": str(entry.get("id", "")), **attributes},
    }
