"""`rootless builder prune` and `buildx prune`."""

from __future__ import annotations

import time

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import print_table, short_id
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.options import clock
from rootless.engine.options.values import parse_bytes
from rootless.record import TYPE_CHECKING
from rootless.session import session
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.cache.prune import Filters as CacheFilters

FILTERS = ("until", "unused-for", "id", "type", "inuse", "shared", "private", "mutable", "immutable", "description")
_KINDS = ("regular", "exec.cachemount")


def prune(args: Args) -> int:
    """Delete what of the build cache is not wanted; a line each, and how much it was."""
    from rootless.build.cache import prune as cache

    wanted = _filters(args)
    loss = "all build cache" if args.all else "all dangling build cache"
    if not confirm(warning([loss]), force=args.force):
        return 0
    session.join()
    now = time.time()
    gone = cache.prune(Store.open(), wanted)
    if gone:
        rows = [[short_id(one.id), "true", units.human_size(one.size), units.ago(one.used, now=now)] for one in gone]
        print_table(["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"], rows)
    print(f"Total:\t{units.human_size(sum(one.size for one in gone))}")
    return 0


def _filters(args: Args) -> CacheFilters:
    from rootless.build.cache.prune import Filters as CacheFilters
    from rootless.errors import InvalidInput

    found = filters.collect(args.filter, FILTERS)
    moments = [clock.parse_moment(word) / 1e9 for word in (*found.get("until", []), *found.get("unused-for", []))]
    kinds = found.get("type", [])
    for kind in kinds:
        if kind not in (*_KINDS, "source.local", "source.git.checkout", "frontend", "internal"):
            raise InvalidInput(f"invalid filter 'type={kind}'", hint=f"type={' or '.join(_KINDS)}")
    words = [word for word in (args.keep_storage, args.max_used_space, args.reserved_space) if word]
    keep = max((parse_bytes(word, name="keep-storage") for word in words), default=-1)
    return CacheFilters(min(moments, default=0.0), frozenset(kinds), tuple(found.get("id", [])), args.all, keep)


COMMAND = Command(
    name="builder prune",
    summary="Remove build cache",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused build cache, not just dangling ones"),
        Option(("--builder",), "builder", VALUE, hidden=True),
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("until=24h", "type=exec.cachemount", "id=...")'),
        FORCE,
        Option(("--keep-storage",), "keep_storage", VALUE, metavar="bytes", help="Amount of disk space to keep for cache"),
        Option(("--max-used-space",), "max_used_space", VALUE, metavar="bytes",
               help="Maximum amount of disk space allowed to keep for cache"),
        Option(("--min-free-space",), "min_free_space", VALUE, metavar="bytes", hidden=True),
        Option(("--reserved-space",), "reserved_space", VALUE, metavar="bytes",
               help="Amount of disk space always allowed to keep for cache"),
        Option(("--verbose",), "verbose", FLAG, hidden=True),
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
