"""`rootless container prune`."""

from __future__ import annotations

from rootless.cli import filters, units
from rootless.cli.command import FLAG, LIST, Args, Command, Option
from rootless.cli.confirm import confirm, warning
from rootless.engine import pruning
from rootless.session import session
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove the containers that do not run."""
    wanted = filters.collect(args.filter, pruning.FILTERS)
    if not confirm(warning(["all stopped containers"]), force=args.force):
        return 0
    session.join()
    pruned = pruning.prune_containers(Store.open(), wanted)
    if pruned.ids:
        print("Deleted Containers:\n" + "\n".join(pruned.ids) + "\n")
    print(f"Total reclaimed space: {units.human_size(pruned.reclaimed_bytes)}")
    return 0


COMMAND = Command(
    name="container prune",
    summary="Remove all stopped containers",
    usage="[OPTIONS]",
    options=(
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("until=24h", "label=key", "label!=key")'),
        Option(("-f", "--force"), "force", FLAG, help="Do not prompt for confirmation"),
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
