"""`rootless rmi`, `image rm`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.engine.images import removal
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.session import session
from rootless.storage import images
from rootless.storage.store import Store


def remove(args: Args) -> int:
    """Each image in turn; a failure is reported at once and the others still go."""
    from rootless.cli.output.messages import complain

    store = Store.open()
    session.join()
    failed = False
    try:
        for text in _wanted(store, args):
            try:
                removed = removal.remove(store, text, force=args.force, platform=args.platform)
            except RootlessError as error:
                if args.ignore and isinstance(error, NotFound):
                    continue
                complain(error)
                failed = failed or not (args.force and isinstance(error, NotFound))
                continue
            _show(removed)
    finally:
        removal.collect(store)
    return 1 if failed else 0


def _wanted(store: Store, args: Args) -> list[str]:
    if not args.every:
        return args.positional
    if args.positional:
        raise InvalidInput("--all stands for all images: no names go with it")
    return [image.id for image in images.list_images(store)]


def _show(removed: removal.Removed) -> None:
    """`Untagged:` and `Deleted:` lines."""
    for name in removed.untagged:
        print(f"Untagged: {name}")
    for identifier in removed.deleted:
        print(f"Deleted: {identifier}")


COMMAND = Command(
    name="rmi",
    summary="Remove one or more images",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    options=(
        Option(("-a", "--all"), "every", FLAG, help="Remove all images"),
        Option(("-f", "--force"), "force", FLAG, help="Force removal of the image"),
        Option(("-i", "--ignore"), "ignore", FLAG, help="What does not exist is no failure"),
        Option(("--no-prune",), "no_prune", FLAG, help="Do not delete untagged parents"),
        Option(("--platform",), "platform", VALUE, metavar="string", default="",
               help="Remove the image only if it is of this platform (os[/arch[/variant]])"),
    ),
    handler=remove,
    min_args=1,
    complete="image",
)
