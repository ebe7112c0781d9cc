"""`rootless rm`."""

from __future__ import annotations

from rootless.cli.command import FLAG, Args, Command, Option
from rootless.cli.each import each
from rootless.engine.life import remove
from rootless.engine.state import listing
from rootless.errors import InvalidInput, NotFound
from rootless.session import session
from rootless.storage import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Remove each container."""
    store = Store.open()
    names = list(args.positional)
    if args.all:
        names += [row.name for row in listing.rows(store, every=True)]
    elif not names:
        raise InvalidInput('"rootless rm" requires at least 1 argument', hint="rootless rm --help")
    if args.force:
        names = [name for name in names if _exists(store, name)]
    if not names:
        return 0
    session.join()
    return each(
        store,
        names,
        lambda identifier: remove.remove(store, identifier, force=args.force, volumes=args.volumes),
    )


def _exists(store: Store, name: str) -> bool:
    """`rm -f` of what is not there is no failure."""
    try:
        containers.find(store, name)
    except NotFound:
        return False
    return True


COMMAND = Command(
    name="rm",
    summary="Remove one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all containers"),
        Option(("-f", "--force"), "force", FLAG, help="Force the removal of a running container (uses SIGKILL)"),
        Option(("-v", "--volumes"), "volumes", FLAG, help="Remove anonymous volumes associated with the container"),
    ),
    handler=run,
    complete="container",
)
