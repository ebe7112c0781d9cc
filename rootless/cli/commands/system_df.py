"""`rootless system df`."""

from __future__ import annotations

from typing import Any

from rootless.cli import units
from rootless.cli.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.listing import print_listing
from rootless.cli.tables import ellipsis, print_table, short_id
from rootless.engine.views import system
from rootless.errors import InvalidInput
from rootless.session import session
from rootless.storage.store import Store

HEADERS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
KINDS = {"images": "Images", "containers": "Containers", "volumes": "Local Volumes", "blobs": "Downloads"}


def show(args: Args) -> int:
    """What takes how much, and what could go."""
    store = Store.open()
    session.join()
    if args.verbose:
        if args.format:
            raise InvalidInput("--format and --verbose are mutually exclusive")
        _show_details(system.details(store))
        return 0
    rows: list[dict[str, Any]] = []
    for kind, found in system.totals(store).items():
        percent = f" ({found.reclaimable * 100 // found.size}%)" if found.size else ""
        rows.append(
            {
                "Type": KINDS.get(kind, kind),
                "TotalCount": str(found.total),
                "Active": str(found.active),
                "Size": units.human_size(found.size),
                "Reclaimable": units.human_size(found.reclaimable) + (percent if kind != "blobs" else ""),
            }
        )
    print_listing(rows, list(HEADERS), headers=HEADERS, template=args.format)
    return 0


def _show_details(found: system.Details) -> None:
    print("Images space usage:\n")
    header = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"]
    rows = []
    for image in found.images:
        sizes = [
            units.human_size_short(n) for n in (image.size, image.shared_size, image.size - image.shared_size)
        ]
        for name in image.names or ("<none>:<none>",):
            repository, _, tag = name.rpartition(":") if "@" not in name else (name, "", "<none>")
            when = units.ago(image.created) if image.created else "N/A"
            rows.append([repository, tag, short_id(image.id), when, *sizes, str(image.containers)])
    print_table(header, rows)
    print("\nContainers space usage:\n")
    header = ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"]
    rows = []
    for one in found.containers:
        command = f'"{ellipsis(one.command, 20)}"'
        size, when = units.human_size_short(one.size), units.ago(one.created)
        rows.append([short_id(one.id), one.image, command, str(one.volumes), size, when, one.state, one.name])
    print_table(header, rows)
    print("\nLocal Volumes space usage:\n")
    rows = [[one.name, str(one.links), units.human_size_short(one.size)] for one in found.volumes]
    print_table(["VOLUME NAME", "LINKS", "SIZE"], rows)


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
)  # fmt: skip
