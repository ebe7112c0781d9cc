"""`rootless restart`."""

from __future__ import annotations

from rootless.cli import chosen
from rootless.cli.command import Args, Command
from rootless.cli.commands.container_stop import SIGNAL, TIMEOUT
from rootless.cli.each import each
from rootless.engine.life import start, stop
from rootless.engine.state import events
from rootless.engine.state.record import Record
from rootless.session import session
from rootless.storage import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Stop each container, if it runs, and start it."""
    store = Store.open()
    session.join()

    def again(identifier: str) -> None:
        stop.stop(store, identifier, signal_name=args.signal, timeout_s=args.timeout)
        start.start(store, identifier)
        record: Record = containers.config(store, identifier)  # type: ignore[assignment]
        events.container(store, "restart", record)

    return each(store, chosen.names(store, args), again)


COMMAND = Command(
    name="restart",
    summary="Restart one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(SIGNAL, TIMEOUT, chosen.every("Restart all containers"), chosen.LATEST),
    handler=run,
    min_args=1,
    complete="container",
)
