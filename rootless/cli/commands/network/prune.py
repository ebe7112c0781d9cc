"""`rootless network prune`."""

from __future__ import annotations

from rootless.cli.flags import filters
from rootless.cli.grammar.command import Args, Command
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.networks import remove
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove the networks of one's own that no container is to be on."""
    wanted = filters.collect(args.filter, remove.PRUNE_FILTERS)
    if not confirm(warning(["all custom networks not used by at least one container"]), force=args.force):
        return 0
    gone = remove.prune(Store.open(), filters=wanted)
    if gone:
        print("Deleted Networks:", *gone, "", sep="\n")
    return 0


COMMAND = Command(
    name="network prune",
    summary="Remove all unused networks",
    usage="[OPTIONS]",
    options=(filters.OF_UNUSED, FORCE),
    handler=prune,
    max_args=0,
)
