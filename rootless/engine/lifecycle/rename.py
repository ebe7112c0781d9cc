"""`rename`: another name for a container, also where others find it by the old one."""

from __future__ import annotations

from rootless.engine.state.config import ContainerConfig, is_on_hub, read_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput
from rootless.storage.containers import containers
from rootless.storage.store import Store


def rename(store: Store, identifier: str, name: str) -> None:
    """Give the container the name; Conflict where it is taken, InvalidInput for what is none. Joins the session where a
    network has to know."""
    name = name.removeprefix("/")
    if not name:
        raise InvalidInput("Neither old nor new names may be empty")
    with containers.lock(store, identifier):
        old = containers.name_of(store, identifier)
        containers.rename(store, identifier, name)
    record: ContainerConfig = {**read_config(store, identifier), "name": name}
    events.container(store, "rename", record, oldName=f"/{old}")
    if record.get("pod"):
        _rename_in_pod(store, record, old)
    if is_on_hub(record):
        from rootless.engine.networks import connect
        from rootless.session import session

        session.join()
        connect.rename(store, identifier, old)


def _rename_in_pod(store: Store, record: ContainerConfig, old: str) -> None:
    from rootless.engine.lifecycle import pod_names
    from rootless.engine.state import running
    from rootless.session import session

    found = running.find(store, record["id"])
    if found is None:
        return
    found.close()
    session.join()
    pod_names.forget(store, record, old)
    pod_names.add(store, record, record["network"]["mode"].partition(":")[2])
