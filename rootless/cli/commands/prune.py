"""`rootless container prune`, `image prune`, `volume prune` and `system prune`: one table, one way to ask and to report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.files.volumes import volumes
from rootless.engine.images import removal
from rootless.engine.lifecycle import prune as containers
from rootless.engine.state.pruned import Pruned
from rootless.record import Record
from rootless.session import session
from rootless.storage import pods
from rootless.storage.store import Store

_Filters = dict[str, list[str]]


class Kind(Record):
    """Something that can be pruned. `loss` and `prune` get whether all that is unused is meant (--all)."""

    loss: Callable[[bool], str]
    filters: Sequence[str]
    prune: Callable[[Store, bool, _Filters], Pruned]


_CONTAINERS = Kind(
    lambda every: "all stopped containers",
    containers.FILTERS,
    lambda store, every, wanted: containers.prune(store, filters=wanted),
)
_IMAGES = Kind(
    lambda every: "all images without at least one container associated to them" if every else "all dangling images",
    removal.PRUNE_FILTERS,
    lambda store, every, wanted: removal.prune(store, every=every, filters=wanted),
)
_VOLUMES = Kind(
    lambda every: f"{'local' if every else 'anonymous local'} volumes not used by at least one container",
    volumes.PRUNE_FILTERS,
    lambda store, every, wanted: volumes.prune(store, every=every, filters=wanted),
)


def _handler(kind: Kind) -> Callable[[Args], int]:
    def prune(args: Args) -> int:
        every = getattr(args, "all", False)
        wanted = filters.collect(args.filter, kind.filters)
        if not confirm(warning([kind.loss(every)]), force=args.force):
            return 0
        session.join()
        _report([kind.prune(Store.open(), every, wanted)])
        return 0

    return prune


def system_prune(args: Args) -> int:
    """Stopped pods, stopped containers, with --volumes anonymous volumes, unused images: in that order, for one frees the next."""
    wanted = filters.collect(args.filter, containers.FILTERS)
    store = Store.open()
    with_pods = not wanted and bool(pods.ids(store))
    losses = ["all stopped pods"] * with_pods + [_CONTAINERS.loss(False)]
    if args.volumes:
        losses.append("all anonymous volumes not used by at least one container")
    losses += [_IMAGES.loss(args.all), "downloads and layers that no image needs", "unused build cache"]
    if not confirm(warning(losses), force=args.force):
        return 0
    session.join()
    pruned = []
    if with_pods:
        from rootless.engine.pods import remove

        pruned.append(Pruned("pod", remove.prune_pods(store), 0))
    pruned.append(_CONTAINERS.prune(store, False, wanted))
    if args.volumes:
        of_volumes = {key: values for key, values in wanted.items() if key != "until"}
        pruned.append(_VOLUMES.prune(store, False, of_volumes))
    pruned.append(_IMAGES.prune(store, args.all, wanted))
    pruned.append(_build_cache(store, args.all, wanted))
    _report(pruned)
    return 0


def _build_cache(store: Store, every: bool, wanted: _Filters) -> Pruned:
    """What builds keep and no image has; with --all what images have, too."""
    from rootless.build.cache import prune as cache
    from rootless.engine.options import clock

    if not os.path.isdir(f"{store.root}/build"):
        return Pruned("build cache", [], 0)
    until = min((clock.parse_moment(word) / 1e9 for word in wanted.get("until", [])), default=0.0)
    gone = cache.prune(store, cache.Filters(until=until, every=every))
    return Pruned("build cache object", [entry.id[:12] for entry in gone], sum(entry.size for entry in gone))


def _report(every: list[Pruned]) -> None:
    for pruned in every:
        if not pruned.ids:
            continue
        print(f"Deleted {pruned.kind.capitalize()}s:")
        for identifier in pruned.ids:
            for name in pruned.names.get(identifier, []):
                print(f"Untagged: {name}")
            print(f"Deleted: {identifier}" if pruned.kind == "image" else identifier)
        print()
    print(f"Total reclaimed space: {units.human_size(sum(pruned.reclaimed_bytes for pruned in every))}")


CONTAINER = Command(
    name="container prune",
    summary="Remove all stopped containers",
    usage="[OPTIONS]",
    options=(filters.OF_UNUSED, FORCE),
    handler=_handler(_CONTAINERS),
    max_args=0,
)
IMAGE = Command(
    name="image prune",
    summary="Remove unused images",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused images, not just dangling ones"),
        filters.OF_UNUSED,
        FORCE,
    ),
    handler=_handler(_IMAGES),
    max_args=0,
)
VOLUME = Command(
    name="volume prune",
    summary="Remove unused local volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused volumes, not just anonymous ones"),
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("label=key", "label!=key")'),
        FORCE,
    ),
    handler=_handler(_VOLUMES),
    max_args=0,
)  # fmt: skip
SYSTEM = Command(
    name="system prune",
    summary="Remove stopped containers, untagged images and unneeded downloads",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused images not just dangling ones"),
        filters.OF_UNUSED,
        FORCE,
        Option(("--volumes",), "volumes", FLAG, help="Prune anonymous volumes"),
    ),
    handler=system_prune,
    max_args=0,
    description="Named volumes are never touched.",
)
