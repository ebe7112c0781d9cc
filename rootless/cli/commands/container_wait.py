"""`rootless wait`."""

from __future__ import annotations

from rootless.cli.command import Args, Command
from rootless.cli.each import each
from rootless.engine.life import stop
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Wait for each container and print its exit code."""
    store = Store.open()
    return each(store, args.positional, lambda identifier: print(stop.wait(store, identifier), flush=True), echo=False)


COMMAND = Command(
    name="wait",
    summary="Block until one or more containers stop, then print their exit codes",
    usage="CONTAINER [CONTAINER...]",
    options=(),
    handler=run,
    min_args=1,
    complete="container",
)
