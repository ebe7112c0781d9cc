"""`rootless kill`. Hot path."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle.kill import kill as kill_container
from rootless.engine.options.signals import parse_signal
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Send a signal to PID 1 of each container."""
    parse_signal(args.signal)
    store = Store.open()
    names = chosen.names(store, args, wanted=chosen.runs)
    return for_each(store, names, lambda identifier: kill_container(store, identifier, args.signal))


COMMAND = Command(
    name="kill",
    summary="Kill one or more running containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        chosen.every("Send the signal to all running containers"),
        chosen.IGNORE,
        chosen.LATEST,
        Option(("-s", "--signal"), "signal", VALUE, metavar="string", default="KILL", help="Signal to send to the container"),
    ),
    handler=run,
    min_args=1,
    complete="container:running,paused,restarting",
)
