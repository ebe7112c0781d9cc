"""`ps`: one row a container, from its two small files and the kernel. HOT."""

from __future__ import annotations

from rootless.engine.state.record import OWN_NETWORK, Record, argv
from rootless.engine.words import clock
from rootless.errors import InvalidInput, RootlessError
from rootless.network import ports, slirp
from rootless.record import TYPE_CHECKING
from rootless.record import Record as Fields
from rootless.storage import containers
from rootless.storage.containers import Status
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


class Row(Fields):
    """A container as `ps` sees it."""

    id: str
    name: str
    record: Record
    status: Status
    state: dict[str, Any]
    health: str = ""  # starting, healthy or unhealthy; "" without a check, or while it does not run
    network_lost: bool = False  # its slirp4netns has died


def rows(store: Store, *, every: bool) -> list[Row]:
    """The running containers, or all, newest first. Damaged ones are shown, never a reason to fail."""
    from rootless.engine.state import running

    names = containers.names(store)
    found = []
    for identifier in containers.ids(store):
        try:
            status = containers.status(store, identifier)
            if not every and status.state not in ("running", "paused", "restarting"):
                continue
            record: Record = containers.config(store, identifier)  # type: ignore[assignment]
        except RootlessError:
            continue  # removed while we looked
        state = running.read_state(store, identifier) if status.pid else {}
        name = names.get(identifier, identifier[:12])
        lost = slirp.lost(state.get("network") or {})
        found.append(Row(identifier, name, record, status, state, _health(store, record, state), lost))
    return sorted(found, key=lambda row: row.record["created_at"], reverse=True)


def _health(store: Store, record: Record, state: dict[str, Any]) -> str:
    if not state or not record.get("healthcheck"):
        return ""
    from rootless.engine.state import health

    found = health.of(store, record, state)
    return found["Status"] if found else ""


def published(row: Row) -> list[ports.PortMapping]:
    """The ports that are published now; none for a container that does not run."""
    return ports.from_data((row.state.get("network") or {}).get("ports") or []) if row.status.pid else []


def ports_column(row: Row) -> str:
    """Docker's PORTS column."""
    if not row.status.pid:
        return ""
    return ports.describe(published(row), ports.read_exposed(row.record["network"]["exposed"]))


def command(record: Record) -> str:
    """The command line as one string, unquoted (as Docker's COMMAND column)."""
    return " ".join(argv(record))


FILTERS = (
    "id",
    "name",
    "label",
    "status",
    "ancestor",
    "before",
    "since",
    "exited",
    "volume",
    "network",
    "publish",
    "health",
)


def matches(row: Row, filters: dict[str, list[str]], *, store: Store) -> bool:
    """Whether the row passes all filters; words of one key are alternatives, except labels. InvalidInput
    for a key that does not exist."""
    for key, wanted in filters.items():
        if key not in FILTERS:
            raise InvalidInput(f"invalid filter '{key}'", hint="one of " + ", ".join(FILTERS))
        if key == "label":
            if not all(_has_label(row, word) for word in wanted):
                return False
        elif not any(_matches_one(row, key, word, store) for word in wanted):
            return False
    return True


def _has_label(row: Row, word: str) -> bool:
    key, equals, value = word.partition("=")
    labels = row.record["labels"]
    return key in labels and (not equals or labels[key] == value)


def _matches_one(row: Row, key: str, word: str, store: Store) -> bool:
    record = row.record
    if key == "id":
        return row.id.startswith(word)
    if key == "name":
        import re

        try:
            return re.search(word, row.name) is not None or re.search(word, "/" + row.name) is not None
        except re.error as error:
            raise InvalidInput(f"invalid filter 'name={word}': {error}") from None
    if key == "status":
        if word not in ("created", "running", "paused", "restarting", "removing", "exited", "dead"):
            raise InvalidInput(f"invalid filter 'status={word}'", hint="created, running, paused or exited")
        return row.status.state == word
    if key == "ancestor":
        bare = word.removeprefix("sha256:")
        return record["image"] in (word, f"{word}:latest") or (
            len(bare) > 3 and record["image_id"].removeprefix("sha256:").startswith(bare)
        )
    if key == "exited":
        return row.status.state == "exited" and str(row.status.exit_code) == word
    if key in ("before", "since"):
        other: Record = containers.config(store, containers.find(store, word))  # type: ignore[assignment]
        mine, theirs = (clock.to_nanoseconds(r["created_at"]) for r in (record, other))
        return mine < theirs if key == "before" else mine > theirs
    if key == "volume":
        return any(word in (m["volume"], m["target"], m["source"]) for m in record["mounts"])
    if key == "network":
        mode = record["network"]["mode"]
        return mode == word or (mode in OWN_NETWORK and word in OWN_NETWORK)
    if key == "publish":
        return any(
            word.partition("/")[0] in (str(m.host_port), str(m.container_port)) for m in published(row)
        )
    if word not in ("starting", "healthy", "unhealthy", "none"):
        raise InvalidInput(f"invalid filter 'health={word}'", hint="starting, healthy, unhealthy or none")
    return word == (row.health or "none")
