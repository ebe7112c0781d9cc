"""`rootless image prune`."""

from __future__ import annotations

from rootless.cli import filters, units
from rootless.cli.command import FLAG, LIST, Args, Command, Option
from rootless.cli.commands.image_rm import show
from rootless.cli.confirm import confirm, warning
from rootless.engine import image_removal
from rootless.session import session
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove dangling images, or with --all every image that no container uses."""
    wanted = filters.collect(args.filter, image_removal.PRUNE_FILTERS)
    loss = (
        "all images without at least one container associated to them" if args.all else "all dangling images"
    )
    if not confirm(warning([loss]), force=args.force):
        return 0
    session.join()
    pruned = image_removal.prune(Store.open(), every=args.all, filters=wanted)
    if pruned.removed:
        print("Deleted Images:")
        for removed in pruned.removed:
            show(removed)
        print()
    print(f"Total reclaimed space: {units.human_size(pruned.reclaimed_bytes)}")
    return 0


COMMAND = Command(
    name="image prune",
    summary="Remove unused images",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused images, not just dangling ones"),
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("until=24h", "label=key", "label!=key")'),
        Option(("-f", "--force"), "force", FLAG, help="Do not prompt for confirmation"),
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
