"""`rootless system prune`."""

from __future__ import annotations

from rootless.cli.commands.image.rm import show_pruned
from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.files.volumes import volumes
from rootless.engine.images import removal
from rootless.engine.lifecycle import prune as pruning
from rootless.session import session
from rootless.storage.store import Store


def prune(args: Args) -> int:
    """Stopped containers, unused images and, if asked, anonymous volumes; in that order, for one frees the next."""
    wanted = filters.collect(args.filter, pruning.FILTERS)
    losses = ["all stopped containers"]
    if args.volumes:
        losses.append("all anonymous volumes not used by at least one container")
    losses.append(
        "all images without at least one container associated to them" if args.all else "all dangling images"
    )
    losses.append("downloads and layers that no image needs")
    if not confirm(warning(losses), force=args.force):
        return 0
    store = Store.open()
    session.join()
    containers = pruning.prune(store, filters=wanted)
    reclaimed = containers.reclaimed_bytes
    if containers.ids:
        print("Deleted Containers:\n" + "\n".join(containers.ids) + "\n")
    if args.volumes:
        gone = volumes.prune(store, every=False, filters={k: v for k, v in wanted.items() if k != "until"})
        reclaimed += gone.reclaimed_bytes
        if gone.ids:
            print("Deleted Volumes:\n" + "\n".join(gone.ids) + "\n")
    images = removal.prune(store, every=args.all, filters=wanted)
    reclaimed += images.reclaimed_bytes
    show_pruned(images)
    print(f"Total reclaimed space: {units.human_size(reclaimed)}")
    return 0


COMMAND = Command(
    name="system prune",
    summary="Remove unused data",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused images not just dangling ones"),
        filters.OF_UNUSED,
        FORCE,
        Option(("--volumes",), "volumes", FLAG, help="Prune anonymous volumes"),
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
