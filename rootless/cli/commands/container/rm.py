"""`rootless rm`. Hot path."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.cli.output.for_each import for_each
from rootless.cli.output.messages import say
from rootless.engine.lifecycle import remove, stop
from rootless.errors import InvalidInput
from rootless.session import session
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Remove each container."""
    store = Store.open()
    if args.time is not None and not args.force:
        raise InvalidInput("--time needs --force: only what runs is waited for")
    names = chosen.names(store, args)
    if args.force:
        # `rm -f` of a container that does not exist is reported and no failure, as Docker's.
        wanted = names
        names = [name for name in wanted if chosen.exists(store, name)]
        for name in wanted:
            if name not in names:
                say(f"No such container: {name}")
    if not names:
        return 0
    session.join()

    def remove_one(identifier: str) -> None:
        if args.time is not None:
            stop.stop(store, identifier, timeout_s=args.time)
        remove.remove_alone(store, identifier, force=args.force, volumes=args.volumes)

    return for_each(store, names, remove_one)


COMMAND = Command(
    name="rm",
    summary="Remove one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        chosen.every("Remove all containers"),
        Option(("-f", "--force"), "force", FLAG, help="Force the removal of a running container (uses SIGKILL)"),
        chosen.IGNORE._replace(names=("-i", "--ignore")),
        chosen.LATEST._replace(names=("--latest",)),  # Docker's -l is --link
        Option(("-t", "--time"), "time", VALUE, metavar="int", convert=integer,
               help="With --force: seconds to wait before killing a container that runs"),
        Option(("-v", "--volumes"), "volumes", FLAG, help="Remove anonymous volumes associated with the container"),
    ),
    handler=run,
    min_args=1,
    complete="container",
)  # fmt: skip
