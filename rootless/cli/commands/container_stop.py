"""`rootless stop`."""

from __future__ import annotations

from rootless.cli.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.cli.each import together
from rootless.engine.life import stop
from rootless.engine.state import listing
from rootless.errors import InvalidInput
from rootless.storage.store import Store

TIMEOUT = Option(
    ("-t", "--timeout", "--time"), "timeout", VALUE, metavar="int", convert=integer,
    help="Seconds to wait before killing the container (-1: wait for ever)",
)  # fmt: skip
SIGNAL = Option(("-s", "--signal"), "signal", VALUE, metavar="string", default="", help="Signal to send to the container")


def run(args: Args) -> int:
    """Stop each container, politely first."""
    store = Store.open()
    names = list(args.positional)
    if args.all:
        names += [row.name for row in listing.rows(store, every=False)]
    elif not names:
        raise InvalidInput('"rootless stop" requires at least 1 argument', hint="rootless stop --help")
    return together(
        store,
        names,
        lambda identifier: stop.stop(store, identifier, signal_name=args.signal, timeout_s=args.timeout),
    )


COMMAND = Command(
    name="stop",
    summary="Stop one or more running containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(SIGNAL, TIMEOUT, Option(("-a", "--all"), "all", FLAG, help="Stop all running containers")),
    handler=run,
    complete="container",
)
