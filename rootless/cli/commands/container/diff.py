"""`rootless diff`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.columns import plain
from rootless.engine.files import changes
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """List what the container added (A), changed (C) and deleted (D)."""
    store = Store.open()
    chosen.name_first(store, args)
    identifier = containers.find(store, args.positional[0])
    for change in changes.of(store, identifier).kept:
        print(f"{change.kind} {plain(change.path)}")
    return 0


COMMAND = Command(
    name="diff",
    summary="Inspect changes to files or directories on a container's filesystem",
    usage="[OPTIONS] CONTAINER",
    options=(chosen.LATEST,),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container",
)
