"""`rootless update`."""

from __future__ import annotations

from rootless.cli.flags.limits import CHANGEABLE
from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle.update import update
from rootless.engine.options.resources import parse
from rootless.engine.state import restart
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Change the limits and the restart policy of each container."""
    changes = parse(args)
    if args.restart is not None:
        restart.parse(args.restart)
    store = Store.open()
    return for_each(store, args.positional, lambda identifier: update(store, identifier, changes, args.restart))


COMMAND = Command(
    name="update",
    summary="Update configuration of one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        *CHANGEABLE,
        Option(("--restart",), "restart", VALUE, metavar="string", complete="no|on-failure|always|unless-stopped",
               help="Restart policy to apply when a container exits"),
    ),
    handler=run,
    min_args=1,
    complete="container",
    examples=(("rootless update --cpus 0.5 web", "give a running container half a processor"),),
)  # fmt: skip
