"""`rootless rmi`, `image rm`."""

from __future__ import annotations

from rootless.cli.command import FLAG, VALUE, Args, Command, Option
from rootless.engine.images import removal
from rootless.errors import NotFound, RootlessError
from rootless.session import session
from rootless.storage.store import Store


def remove(args: Args) -> int:
    """Each image in turn; what fails is told at once and the others still go."""
    from rootless.cli.main import complain

    store = Store.open()
    session.join()
    failed = False
    try:
        for text in args.positional:
            try:
                removed = removal.remove(store, text, force=args.force, platform=args.platform)
            except RootlessError as error:
                complain(error)
                failed = failed or not (args.force and isinstance(error, NotFound))
                continue
            show(removed)
    finally:
        removal.collect(store)
    return 1 if failed else 0


def show(removed: removal.Removed) -> None:
    """`Untagged:` and `Deleted:` lines."""
    for name in removed.untagged:
        print(f"Untagged: {name}")
    for identifier in removed.deleted:
        print(f"Deleted: {identifier}")


def show_pruned(every: list[removal.Removed]) -> None:
    """What a prune removed, under a heading; nothing where that is none."""
    if every:
        print("Deleted Images:")
        for removed in every:
            show(removed)
        print()


COMMAND = Command(
    name="rmi",
    summary="Remove one or more images",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    options=(
        Option(("-f", "--force"), "force", FLAG, help="Force removal of the image"),
        Option(("--no-prune",), "no_prune", FLAG, help="Do not delete untagged parents"),
        Option(("--platform",), "platform", VALUE, metavar="string", default="",
               help="Remove the image only if it is of this platform (os[/arch[/variant]])"),
    ),
    handler=remove,
    min_args=1,
    complete="image",
)
