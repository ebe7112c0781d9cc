"""Which containers a command is about: its arguments, --all, --latest; --ignore. Podman's words.

A command with one of these options may be called without a name: the parser counts them as one
(cli/grammar/parser.py), and `names` or `name_first` says what they stand for. Hot path.
"""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, Args, Option
from rootless.errors import InvalidInput, NotFound
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootless.engine.state import listing

LATEST = Option(("-l", "--latest"), "newest", FLAG, help="Act on the container that was created last")
IGNORE = Option(("--ignore",), "ignore", FLAG, help="What does not exist is no failure")


def every(help_text: str, *, short: bool = True) -> Option:
    """The option --all of a command."""
    return Option(("-a", "--all") if short else ("--all",), "every", FLAG, help=help_text)


def names(
    store: Store, args: Args, *, wanted: Callable[[listing.ContainerRow], bool] = lambda row: True
) -> list[str]:
    """The containers meant: with --all those that are `wanted`, newest first; with --ignore only those there are."""
    values = args.__dict__
    found = list(args.positional)
    if values.get("newest"):
        if found or values.get("every"):
            raise InvalidInput("--latest stands for a name: neither names nor --all go with it")
        found = [_newest(store)]
    elif values.get("every"):
        if found:
            raise InvalidInput("--all stands for all names: no others go with it")
        from rootless.engine.state import listing

        found = [row.name for row in listing.rows(store, every=True) if wanted(row)]
    if values.get("ignore"):
        found = [name for name in found if exists(store, name)]
    return found


def name_first(store: Store, args: Args) -> None:
    """Make what --latest stands for the first of the arguments, before a command or a port."""
    if args.newest:
        args.positional.insert(0, _newest(store))


def exists(store: Store, name: str) -> bool:
    """Whether there is a container of that name or id."""
    try:
        containers.find(store, name)
    except NotFound:
        return False
    return True


def runs(row: listing.ContainerRow) -> bool:
    """Whether it has a process."""
    return row.status.state in ("running", "paused", "restarting")


def _newest(store: Store) -> str:
    from rootless.engine.state import listing

    rows = listing.rows(store, every=True)
    if not rows:
        raise NotFound("there is no container", hint="`rootless ps -a` lists them")
    return rows[0].name
