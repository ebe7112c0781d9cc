"""`rootless volume prune`."""

from __future__ import annotations

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.files.volumes import volumes
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Remove the volumes that no container uses."""
    from rootless.session import session

    wanted = filters.collect(args.filter, volumes.PRUNE_FILTERS)
    kind = "local volumes" if args.all else "anonymous local volumes"
    if not confirm(warning([f"{kind} not used by at least one container"]), force=args.force):
        return 0
    session.join()
    pruned = volumes.prune(Store.open(), every=args.all, filters=wanted)
    if pruned.ids:
        print("Deleted Volumes:\n" + "\n".join(pruned.ids) + "\n")
    print(f"Total reclaimed space: {units.human_size(pruned.reclaimed_bytes)}")
    return 0


COMMAND = Command(
    name="volume prune",
    summary="Remove unused local volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused volumes, not just anonymous ones"),
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("label=key", "label!=key")'),
        FORCE,
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
