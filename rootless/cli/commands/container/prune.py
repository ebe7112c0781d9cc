"""`rootless container prune`."""

from __future__ import annotations

from rootless.cli.flags import filters
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output import units
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.lifecycle import prune as pruning
from rootless.session import session
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove the containers that do not run."""
    wanted = filters.collect(args.filter, pruning.FILTERS)
    if not confirm(warning(["all stopped containers"]), force=args.force):
        return 0
    session.join()
    pruned = pruning.prune(Store.open(), filters=wanted)
    if pruned.ids:
        print("Deleted Containers:\n" + "\n".join(pruned.ids) + "\n")
    print(f"Total reclaimed space: {units.human_size(pruned.reclaimed_bytes)}")
    return 0


COMMAND = Command(
    name="container prune",
    summary="Remove all stopped containers",
    usage="[OPTIONS]",
    options=(
        filters.OF_UNUSED,
        FORCE,
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
