"""`rootless rename`."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command
from rootless.engine.lifecycle.rename import rename
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Give a container another name."""
    store = Store.open()
    rename(store, containers.find(store, args.positional[0]), args.positional[1])
    return 0


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
