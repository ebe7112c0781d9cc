"""`rootless volume ls`."""

from __future__ import annotations

from typing import Any

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output.listing import print_listing
from rootless.engine.files.volumes import volumes
from rootless.storage.store import Store

HEADERS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Status": "STATUS",
}


def list_volumes(args: Args) -> int:
    """A row for each volume."""
    wanted = filters.collect(args.filter, volumes.FILTERS)
    rows = [_fields(volume) for volume in volumes.select(Store.open(), wanted)]
    print_listing(
        rows,
        ["Driver", "Name"],
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
        identity="Name",
        stored="volumesFormat",
        heading=not args.noheading,
    )
    return 0


def _fields(volume: volumes.Volume) -> dict[str, Any]:
    labels = ",".join(f"{key}={value}" for key, value in sorted(volume.labels.items()))
    return {
        "Driver": "local",
        "Name": volume.name,
        "Scope": "local",
        "Mountpoint": volume.path,
        "Labels": labels,
        "Label": lambda key: volume.labels.get(key, ""),
        "Links": "N/A",
        "Size": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
        "Status": "N/A",
    }


COMMAND = Command(
    name="volume ls",
    summary="List volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:volume", convert=filters.convert,
               help='Provide filter values ("dangling=true", "name=text", "label=key", "driver=local")'),
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a "
               "Go template"),
        Option(("-n", "--noheading"), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display volume names"),
    ),
    handler=list_volumes,
    max_args=0,
)  # fmt: skip
