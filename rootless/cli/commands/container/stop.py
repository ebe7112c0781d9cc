"""`rootless stop`. Hot path."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import VALUE, Args, Command, Option, integer
from rootless.cli.output.for_each import for_each_parallel
from rootless.engine.lifecycle import stop
from rootless.storage.store import Store

TIMEOUT = Option(
    ("-t", "--timeout", "--time"), "timeout", VALUE, metavar="int", convert=integer,
    help="Seconds to wait before killing the container (-1: wait for ever)",
)  # fmt: skip
SIGNAL = Option(("-s", "--signal"), "signal", VALUE, metavar="string", default="", help="Signal to send to the container")


def run(args: Args) -> int:
    """Stop each container, politely first."""
    store = Store.open()
    names = chosen.names(store, args, wanted=chosen.runs)
    return for_each_parallel(
        store,
        names,
        lambda identifier: stop.stop(store, identifier, signal_name=args.signal, timeout_s=args.timeout),
    )


COMMAND = Command(
    name="stop",
    summary="Stop one or more running containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        SIGNAL,
        TIMEOUT,
        chosen.every("Stop all running containers"),
        chosen.IGNORE._replace(names=("-i", "--ignore")),
        chosen.LATEST,
    ),
    handler=run,
    min_args=1,
    complete="container:running,paused,restarting",
)
