"""`rootless restart`."""

from __future__ import annotations

from rootless.cli.commands.container.stop import SIGNAL, TIMEOUT
from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle import restart
from rootless.session import session
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Stop each container, if it runs, and start it."""
    store = Store.open()
    session.join()

    def again(identifier: str) -> None:
        restart.restart(store, identifier, signal_name=args.signal, timeout_s=args.timeout)

    return for_each(store, chosen.names(store, args), again)


COMMAND = Command(
    name="restart",
    summary="Restart one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(SIGNAL, TIMEOUT, chosen.every("Restart all containers"), chosen.LATEST),
    handler=run,
    min_args=1,
    complete="container",
)
