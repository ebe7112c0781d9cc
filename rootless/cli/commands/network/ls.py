"""`rootless network ls`."""

from __future__ import annotations

from typing import Any

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.listing import print_listing
from rootless.engine.networks import listing
from rootless.engine.networks.records import NetworkConfig
from rootless.storage.store import Store

HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}


def list_networks(args: Args) -> int:
    """A row for each network."""
    wanted = filters.collect(args.filter, listing.FILTERS)
    rows = [_fields(network, full=args.no_trunc) for network in listing.select(Store.open(), wanted)]
    print_listing(
        rows,
        ["ID", "Name", "Driver", "Scope"],
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
        stored="networksFormat",
        heading=not args.noheading,
    )
    return 0


def _fields(network: NetworkConfig, *, full: bool) -> dict[str, Any]:
    labels = network["labels"]
    return {
        "ID": network["id"] if full else network["id"][:12],
        "Name": network["name"],
        "Driver": network["driver"],
        "Scope": "local",
        "IPv4": str(network["ipv4"]).lower(),
        "IPv6": str(network["ipv6"]).lower(),
        "Internal": str(network["internal"]).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Label": lambda key: labels.get(key, ""),
        "CreatedAt": units.local_time(units.parse_time(network["created_at"])),
    }


COMMAND = Command(
    name="network ls",
    summary="List networks",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:network", convert=filters.convert,
               help='Provide filter values ("driver=bridge", "name=text", "type=custom", "label=key", "dangling=true")'),
        Option(("--format",), "format", VALUE, metavar="string", help="Format output using 'table', 'table TEMPLATE', "
               "'json' or a Go template"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Do not truncate the output"),
        Option(("-n", "--noheading"), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display network IDs"),
    ),
    handler=list_networks,
    max_args=0,
    description="bridge, host and none are always there.",
)  # fmt: skip
