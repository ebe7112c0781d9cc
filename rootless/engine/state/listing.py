"""`ps`: one row a container, from its two small files and the kernel. Hot path."""

from __future__ import annotations

from rootless.engine.state.config import ContainerConfig, argv, is_on_hub, on_hub, read_config
from rootless.errors import FROM_DATA, NotFound, RootlessError
from rootless.network import ports
from rootless.network.uplink import driver
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.containers import containers
from rootless.storage.containers.containers import ContainerStatus
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


class ContainerRow(Record):
    """A container as `ps` sees it."""

    id: str
    name: str
    record: ContainerConfig
    status: ContainerStatus
    state: dict[str, Any]
    health: str = ""  # starting, healthy or unhealthy; "" without a check, or while it does not run
    network_lost: bool = False  # its uplink has ended


def rows(store: Store, *, every: bool) -> list[ContainerRow]:
    """The running containers, or all, newest first. Damaged ones are shown, never a reason to fail."""
    from rootless.engine.state import running

    names = containers.names(store)
    found = []
    for identifier in containers.ids(store):
        try:
            status = containers.status(store, identifier)
            if not every and status.state not in ("running", "paused", "restarting"):
                continue
            record = read_config(store, identifier)
        except NotFound:
            continue  # removed while we looked
        except RootlessError:
            from rootless.engine.state import damaged

            record = damaged.record(store, identifier)
        state = running.read_state(store, identifier) if status.pid else {}
        if record.get("pod") and status.pid:
            from rootless.engine.state import pods

            state = pods.with_network(store, record, state)
        name = names.get(identifier, identifier[:12])
        try:
            lost = driver.has_ended(state.get("network") or {})
            ports.from_data((state.get("network") or {}).get("ports") or [])
        except FROM_DATA:
            state, lost = {**state, "network": {}}, False
        found.append(ContainerRow(identifier, name, record, status, state, _health(store, record, state), lost))
    return sorted(found, key=lambda row: row.record["created_at"], reverse=True)


def _health(store: Store, record: ContainerConfig, state: dict[str, Any]) -> str:
    if not state or not record.get("healthcheck"):
        return ""
    from rootless.engine.state import health

    found = health.of(store, record, state)
    return found["Status"] if found else ""


def published(row: ContainerRow) -> list[ports.PortMapping]:
    """The ports that are published now; none for a container that does not run."""
    return ports.from_data((row.state.get("network") or {}).get("ports") or []) if row.status.pid else []


def exposed(row: ContainerRow) -> list[tuple[int, str]]:
    """The ports that are said to be used, with their protocols."""
    return ports.read_exposed(row.record["network"]["exposed"])


def ports_column(row: ContainerRow) -> str:
    """Docker's PORTS column."""
    if not row.status.pid:
        return ""
    return ports.describe(published(row), exposed(row))


def command(record: ContainerConfig) -> str:
    """The command line as one string, unquoted (as Docker's COMMAND column)."""
    return " ".join(argv(record))


def networks(record: ContainerConfig) -> dict[str, str]:
    """Names and ids of the networks that the container is to be on, whatever brings them up."""
    if is_on_hub(record):
        return {name: endpoint["id"] for name, endpoint in on_hub(record).items()}
    mode = record["network"]["mode"]
    return {mode: network_id(mode)}


def network_id(mode: str) -> str:
    """64 hexadecimal digits that stay the same, its name's: no network has an id of its own."""
    return mode.encode("utf-8", "surrogateescape").hex()[:64].ljust(64, "0")
