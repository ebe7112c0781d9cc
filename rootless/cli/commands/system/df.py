"""`rootless system df`."""

from __future__ import annotations

import time
from typing import Any

from rootless.build.cache import usage as cache_usage
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import ellipsis, print_table, short_id
from rootless.cli.output.listing import print_listing
from rootless.engine.images import budget
from rootless.engine.state import listing, status_words
from rootless.engine.views import system
from rootless.session import session
from rootless.storage.store import Store

HEADERS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
KINDS = {
    "images": "Images",
    "containers": "Containers",
    "volumes": "Local Volumes",
    "build cache": "Build Cache",
    "blobs": "Downloads",
    "image files": "Image Files",
    "packs": "Packed Directories",
}
"""Docker's rows, and ours: what `pull` keeps, images as one file each (a store in two places), and what `image pack` made."""


_OURS = ("blobs", "image files", "packs")


def show(args: Args) -> int:
    """What takes how much, and what could go."""
    store = Store.open()
    session.join()
    if args.verbose:
        return _show_details(store, _details(store, system.details(store)), args.format)
    rows: list[dict[str, Any]] = []
    for kind, found in {**system.totals(store), "build cache": cache_usage.total(store)}.items():
        percent = f" ({found.reclaimable * 100 // found.size}%)" if found.size else ""
        rows.append(
            {
                "Type": KINDS.get(kind, kind),
                "TotalCount": str(found.total),
                "Active": str(found.active),
                "Size": units.human_size(found.size),
                "Reclaimable": units.human_size(found.reclaimable) + (percent if kind not in _OURS else ""),
            }
        )
    print_listing(rows, list(HEADERS), headers=HEADERS, template=args.format)
    limit = budget.configured()
    if limit is not None and args.format is None:
        print(f"\nCap for images: {units.human_size(budget.used(store))} of {units.human_size(limit.most_bytes)} ({limit.source})")
    return 0


Rows = list[dict[str, Any]]
_TABLES = {
    "Images": ("Images", {
        "Repository": "REPOSITORY", "Tag": "TAG", "ID": "IMAGE ID", "CreatedSince": "CREATED", "Size": "SIZE",
        "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE", "Containers": "CONTAINERS",
    }),
    "Containers": ("Containers", {
        "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "LocalVolumes": "LOCAL VOLUMES", "Size": "SIZE",
        "RunningFor": "CREATED", "Status": "STATUS", "Names": "NAMES",
    }),
    "Volumes": ("Local Volumes", {"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"}),
    "BuildCache": ("Build cache", {
        "ID": "CACHE ID", "CacheType": "CACHE TYPE", "Size": "SIZE", "CreatedSince": "CREATED",
        "LastUsedSince": "LAST USED", "UsageCount": "USAGE", "Shared": "SHARED",
    }),
}  # fmt: skip
"""Docker's names of the four parts, their headings, and their fields with their headers."""


def _details(store: Store, found: system.Details) -> dict[str, Rows]:
    """The parts of `system df -v` under Docker's names, their fields as text."""
    now = time.time()
    images: Rows = []
    for image in found.images:
        for name in image.names or ("<none>:<none>",):
            repository, _, tag = name.rpartition(":") if "@" not in name else (name, "", "<none>")
            images.append(
                {
                    "Repository": repository,
                    "Tag": tag,
                    "ID": short_id(image.id),
                    "CreatedSince": units.ago(image.created) if image.created else "N/A",
                    "Size": units.human_size_short(image.size),
                    "SharedSize": units.human_size_short(image.shared_size),
                    "UniqueSize": units.human_size_short(image.size - image.shared_size),
                    "Containers": str(image.containers),
                }
            )
    containers: Rows = [
        {
            "ID": short_id(one.row.id),
            "Image": one.row.record["image"],
            "Command": f'"{ellipsis(listing.command(one.row.record), 20)}"',
            "LocalVolumes": str(one.volumes),
            "Size": units.human_size_short(one.size),
            "RunningFor": units.ago(units.parse_time(one.row.record["created_at"]), now=now),
            "Status": status_words.of(one.row, now),
            "State": one.row.status.state,
            "Names": one.row.name,
        }
        for one in found.containers
    ]
    volumes: Rows = [
        {
            "Name": one.name,
            "Driver": "local",
            "Links": str(one.links),
            "Scope": "local",
            "Size": units.human_size_short(one.size),
        }
        for one in found.volumes
    ]
    cache: Rows = [
        {
            "ID": short_id(one.id),
            "CacheType": one.kind,
            "Description": one.name,
            "Size": units.human_size_short(one.size),
            "CreatedSince": units.ago(units.parse_time(one.created), now=now) if one.created else "N/A",
            "LastUsedSince": units.ago(one.used, now=now),
            "UsageCount": "1",
            "InUse": "false",
            "Shared": str(one.shared).lower(),
        }
        for one in cache_usage.entries(store)
    ]
    return {"Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": cache}


def _show_details(store: Store, found: dict[str, Rows], template: str | None) -> int:
    if template and template != "table":
        from rootless.cli.output.format import print_object
        from rootless.cli.output.template.template_values import TemplateRow

        return print_object(TemplateRow({part: [TemplateRow(row) for row in rows] for part, rows in found.items()}), template)
    for number, (part, (heading, headers)) in enumerate(_TABLES.items()):
        usage = f"usage: {units.human_size(cache_usage.total(store).size)}" if part == "BuildCache" else "space usage:"
        print("\n" * bool(number) + f"{heading} {usage}\n")
        print_table(list(headers.values()), [[row[name] for name in headers] for row in found[part]])
    return 0


COMMAND = Command(
    name="system df",
    summary="Show disk usage",
    usage="[OPTIONS]",
    options=(
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a "
               "Go template"),
        Option(("-v", "--verbose"), "verbose", FLAG, help="Show detailed information on space usage"),
    ),
    handler=show,
    max_args=0,
    description="Downloads are compressed layers, kept so that images can be saved and pushed; they go with their image.",
)  # fmt: skip
