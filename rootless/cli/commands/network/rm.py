"""`rootless network rm`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.engine.networks import remove as networks
from rootless.errors import NotFound, RootlessError
from rootless.storage.store import Store


def remove(args: Args) -> int:
    """Each network in turn, its name printed when it is gone."""
    from rootless.cli.output.messages import complain

    store = Store.open()
    failed = False
    for name in args.positional:
        try:
            networks.remove(store, name)
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
    name="network rm",
    summary="Remove one or more networks",
    usage="[OPTIONS] NETWORK [NETWORK...]",
    options=(Option(("-f", "--force"), "force", FLAG, help="Do not error if the network does not exist"),),
    handler=remove,
    min_args=1,
    description="A network that a running container is on cannot be removed.",
    complete="network",
)
