"""`rootless unpause`."""

from __future__ import annotations

from rootless.cli.command import Args, Command
from rootless.cli.each import each
from rootless.engine.life import stop
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Unpause each container."""
    store = Store.open()
    return each(store, args.positional, lambda identifier: stop.unpause(store, identifier))


COMMAND = Command(
    name="unpause",
    summary="Unpause all processes within one or more containers",
    usage="CONTAINER [CONTAINER...]",
    options=(),
    handler=run,
    min_args=1,
    complete="container",
)
