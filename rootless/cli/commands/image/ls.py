"""`rootless images`, `image ls`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, choice
from rootless.cli.output import units
from rootless.cli.output.columns import short_id
from rootless.cli.output.listing import print_listing
from rootless.engine.images.listing import FILTERS, ImageRow, rows
from rootless.errors import InvalidInput
from rootless.storage.store import Store

HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "ReadOnly": "R/O",
    "Store": "STORE",
}

# Podman's words. What is newest, or largest, comes first.
SORTED: dict[str, Callable[[ImageRow], Any]] = {
    "created": lambda row: row.created,
    "id": lambda row: row.image.id,
    "repository": lambda row: row.repository,
    "size": lambda row: row.image.size,
    "tag": lambda row: row.tag,
}


def list_images(args: Args) -> int:
    """One row for each name of each image."""
    store = Store.open()
    repository = args.positional[0] if args.positional else None
    wanted = filters.collect(args.filter, FILTERS)
    found = rows(store, repository=repository, filters=wanted)
    if args.sort:
        found.sort(key=SORTED[args.sort], reverse=args.sort in ("created", "size"))
    if args.tree:
        return _tree(store, args, found)
    columns = ["Repository", "Tag", *(["Digest"] if args.digests else []), "ID", "CreatedSince", "Size"]
    if any(row.image.published for row in found):
        columns.append("ReadOnly")
    print_listing(
        [_fields(row, whole=args.no_trunc) for row in found],
        columns,
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
        stored="imagesFormat",
        heading=not args.noheading,
    )
    return 0


def _tree(store: Store, args: Args, found: list[ImageRow]) -> int:
    for given, flag in (
        (args.quiet, "--quiet"),
        (args.no_trunc, "--no-trunc"),
        (args.digests, "--digests"),
        (args.format, "--format"),
    ):
        if given:
            raise InvalidInput(f"{flag} is not yet supported with --tree")
    from rootless.cli.output import image_tree

    image_tree.show(store, found)
    return 0


def _fields(row: ImageRow, *, whole: bool) -> dict[str, Any]:
    return {
        "ID": row.image.id if whole else short_id(row.image.id),
        "Repository": row.repository,
        "Tag": row.tag,
        "Digest": row.digest,
        "CreatedSince": units.ago(row.created) if row.created else "N/A",
        "CreatedAt": units.local_time(row.created),
        "Size": units.human_size_short(row.image.size),
        "Containers": "N/A",
        "VirtualSize": units.human_size(row.image.size),
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "ReadOnly": "true" if row.image.published else "false",
        "Store": row.image.published.store if row.image.published else "",
    }


COMMAND = Command(
    name="images",
    summary="List images",
    usage="[OPTIONS] [REPOSITORY[:TAG]]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all images (default hides intermediate images)"),
        Option(("--digests",), "digests", FLAG, help="Show digests"),
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:image", convert=filters.convert,
               help='Filter output based on conditions provided ("dangling=true", "reference=debian:*", '
                    '"label=key=value", "before=image", "since=image", "until=24h")'),
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a "
               "Go template"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Don't truncate output"),
        Option(("-n", "--noheading"), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only show image IDs"),
        Option(("--sort",), "sort", VALUE, metavar="choice", convert=choice(*SORTED), complete="|".join(SORTED),
               help=f"Sort by {', '.join(SORTED)} (default created)"),
        Option(("--tree",), "tree", FLAG, help="List each image with its names and its platform as a tree"),
    ),
    handler=list_images,
    max_args=1,
    examples=(
        ("rootless images --filter dangling=true -q", "the ids that `image prune` would remove"),
        ("rootless images --format '{{.Repository}}:{{.Tag}} {{.Size}}'", ""),
    ),
    complete="image",
)  # fmt: skip
