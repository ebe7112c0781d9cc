"""`rootless pause`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle.pause import pause as pause_container
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Pause each container."""
    store = Store.open()
    names = chosen.names(store, args, wanted=lambda row: row.status.state == "running")
    return for_each(store, names, lambda identifier: pause_container(store, identifier))


COMMAND = Command(
    name="pause",
    summary="Pause all processes within one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(chosen.every("Pause all running containers"), chosen.LATEST),
    handler=run,
    min_args=1,
    complete="container:running",
)
