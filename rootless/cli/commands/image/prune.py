"""`rootless image prune`."""

from __future__ import annotations

from rootless.cli.commands.image.rm import show_pruned
from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.images import removal
from rootless.session import session
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove dangling images, or with --all every image that no container uses."""
    wanted = filters.collect(args.filter, removal.PRUNE_FILTERS)
    loss = (
        "all images without at least one container associated to them" if args.all else "all dangling images"
    )
    if not confirm(warning([loss]), force=args.force):
        return 0
    session.join()
    pruned = removal.prune(Store.open(), every=args.all, filters=wanted)
    show_pruned(pruned)
    print(f"Total reclaimed space: {units.human_size(pruned.reclaimed_bytes)}")
    return 0


COMMAND = Command(
    name="image prune",
    summary="Remove unused images",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused images, not just dangling ones"),
        filters.OF_UNUSED,
        FORCE,
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
