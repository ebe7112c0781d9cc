"""`rootless top`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.columns import print_table
from rootless.engine.views import top
from rootless.storage.containers import containers
from rootless.storage.store import Store

_NARROWEST = 20
"""Docker's columns here are wider than in its other tables, and scripts cut them."""


def run(args: Args) -> int:
    """List the container's processes as the host sees them, with the host's ps."""
    store = Store.open()
    chosen.name_first(store, args)
    identifier = containers.find(store, args.positional[0])
    titles, rows = top.processes(store, identifier, args.positional[1:])
    print_table(titles, rows, narrowest=_NARROWEST)
    return 0


COMMAND = Command(
    name="top",
    summary="Display the running processes of a container",
    usage="[OPTIONS] CONTAINER [ps OPTIONS]",
    options=(chosen.LATEST,),
    handler=run,
    min_args=1,
    interspersed=False,
    complete="container:running",
)
