"""`rootless volume rm`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.engine.files.volumes import volumes
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.storage.store import Store


def remove(args: Args) -> int:
    """Each volume in turn, its name printed when it is gone."""
    from rootless.cli.output.messages import complain
    from rootless.session import session

    store = Store.open()
    session.join()
    failed = False
    names = args.positional
    if args.every:
        if names:
            raise InvalidInput("--all stands for all volumes: no names go with it")
        names = [volume.name for volume in volumes.select(store, {})]
    for name in names:
        try:
            volumes.remove(store, name)
        except NotFound as error:
            if not args.force:
                complain(error)
                failed = True
                continue
        except RootlessError as error:
            complain(error)
            failed = True
            continue
        print(name)
    return 1 if failed else 0


COMMAND = Command(
    name="volume rm",
    summary="Remove one or more volumes",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    options=(
        Option(("-a", "--all"), "every", FLAG, help="Remove all volumes that no container uses"),
        Option(("-f", "--force"), "force", FLAG, help="Force the removal of one or more volumes"),
    ),
    handler=remove,
    min_args=1,
    description="A volume that a container uses cannot be removed.",
    complete="volume",
)
