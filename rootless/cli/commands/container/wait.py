"""`rootless wait`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import LIST, VALUE, Args, Command, Option, choice
from rootless.cli.output.for_each import for_each
from rootless.engine.lifecycle.wait import CONDITIONS as DOCKERS
from rootless.engine.lifecycle.wait import wait as wait_container
from rootless.errors import InvalidInput
from rootless.storage.store import Store

ENDED = frozenset(("stopped", "exited"))
CONDITIONS = ("configured", "created", "exited", "healthy", "initialized", "paused", "removing", "running", "stopped",
              "stopping", "unhealthy", *DOCKERS)  # fmt: skip


def run(args: Args) -> int:
    """Wait for each container and print its exit code."""
    if len(args.condition) > 1 and set(args.condition) & set(DOCKERS):
        raise InvalidInput("one condition at a time where it is one of Docker's: " + ", ".join(DOCKERS))
    store = Store.open()

    def wait(identifier: str) -> None:
        if set(args.condition) <= ENDED:
            code = wait_container(store, identifier)
        elif set(args.condition) & set(DOCKERS):
            code = wait_container(store, identifier, *args.condition)
        else:
            from rootless.engine.options.values import parse_duration
            from rootless.engine.views import conditions

            word = args.interval + "ms" if args.interval.isdecimal() else args.interval
            interval_s = max(parse_duration(word, name="interval"), 0.001)
            code = conditions.wait(store, identifier, args.condition, interval_s=interval_s)
        print(code, flush=True)

    return for_each(store, chosen.names(store, args), wait, echo=False)


COMMAND = Command(
    name="wait",
    summary="Block until one or more containers stop, then print their exit codes",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        Option(("--condition",), "condition", LIST, metavar="string", convert=choice(*CONDITIONS),
               complete="|".join(CONDITIONS),
               help='Wait for one of these instead of "stopped"; what is printed for one that has not ended is -1. '
                   "Docker's: next-exit, an end from now on, and removed"),
        chosen.IGNORE,
        Option(("-i", "--interval"), "interval", VALUE, metavar="duration", default="250ms",
               help="How often to look whether a condition other than stopped holds"),
        chosen.LATEST,
    ),
    handler=run,
    min_args=1,
    complete="container",
)  # fmt: skip
