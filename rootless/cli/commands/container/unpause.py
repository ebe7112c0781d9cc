"""`rootless unpause`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle.pause import unpause as unpause_container
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Unpause each container."""
    store = Store.open()
    names = chosen.names(store, args, wanted=lambda row: row.status.state == "paused")
    return for_each(store, names, lambda identifier: unpause_container(store, identifier))


COMMAND = Command(
    name="unpause",
    summary="Unpause all processes within one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(chosen.every("Unpause all paused containers"), chosen.LATEST),
    handler=run,
    min_args=1,
    complete="container:paused",
)
