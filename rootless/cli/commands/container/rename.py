"""`rootless rename`."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command
from rootless.engine.state.config import ContainerConfig, is_on_hub, read_config
from rootless.engine.state.events import events
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Give a container another name."""
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    with containers.lock(store, identifier):
        old = containers.name_of(store, identifier)
        containers.rename(store, identifier, args.positional[1].removeprefix("/"))
    record = read_config(store, identifier)
    record = {**record, "name": args.positional[1].removeprefix("/")}
    events.container(store, "rename", record, oldName=f"/{old}")
    if record.get("pod"):
        _rename_in_pod(store, record, old)
    if is_on_hub(record):
        from rootless.engine.networks import connect
        from rootless.session import session

        session.join()
        connect.rename(store, identifier, old)
    return 0


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


COMMAND = Command(
    name="rename",
    summary="Rename a container",
    usage="CONTAINER NEW_NAME",
    options=(),
    handler=run,
    min_args=2,
    max_args=2,
    complete="container",
)
