"""`rootless update`."""

from __future__ import annotations

from rootless.cli.command import Args, Command
from rootless.cli.commands.limit_options import CHANGEABLE
from rootless.cli.each import each
from rootless.engine.resource_words import parse
from rootless.engine.update import update
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Change the limits of each container."""
    changes = parse(args)
    store = Store.open()
    return each(store, args.positional, lambda identifier: update(store, identifier, changes))


COMMAND = Command(
    name="update",
    summary="Update configuration of one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=CHANGEABLE,
    handler=run,
    min_args=1,
    complete="container",
    examples=(("Give a running container half a processor", "rootless update --cpus 0.5 web"),),
)
