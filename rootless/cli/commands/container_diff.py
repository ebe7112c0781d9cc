"""`rootless diff`."""

from __future__ import annotations

from rootless.cli.command import Args, Command
from rootless.cli.tables import plain
from rootless.engine.record import Record
from rootless.errors import NotSupported
from rootless.session import session
from rootless.storage import changes, containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """List what the container added (A), changed (C) and deleted (D)."""
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    record: Record = containers.config(store, identifier)  # type: ignore[assignment]
    if record["rootfs"]:
        raise NotSupported("a container made with --rootfs has no image to compare with")
    session.join()
    for change in changes.diff(store, containers.directory(store, identifier), record["diff_ids"]):
        print(f"{change.kind} {plain(change.path)}")
    return 0


COMMAND = Command(
    name="diff",
    summary="Inspect changes to files or directories on a container's filesystem",
    usage="CONTAINER",
    options=(),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container",
)
