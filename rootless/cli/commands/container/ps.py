"""`rootless ps`. Hot path."""

from __future__ import annotations

import time

from rootless.cli.flags.filters import collect, convert
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, choice, integer
from rootless.cli.output import units
from rootless.cli.output.columns import ellipsis
from rootless.cli.output.listing import print_listing
from rootless.engine.state import listing, status_words
from rootless.engine.state.listing import ContainerRow
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "CreatedAt": "CREATED AT",
    "State": "STATE",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Pid": "PID",
    "ExitCode": "EXIT CODE",
    "Pod": "POD ID",
    "PodName": "PODNAME",
}

# Podman's words. What was created last comes first.
SORTED: dict[str, Callable[[ContainerRow], Any]] = {
    "command": lambda row: listing.command(row.record),
    "created": lambda row: row.record["created_at"],
    "id": lambda row: row.id,
    "image": lambda row: row.record["image"] or row.record["rootfs"],
    "names": lambda row: row.name,
    "runningfor": lambda row: row.status.started_at or "",
    "status": lambda row: row.status.state,
}


def run(args: Args) -> int:
    """List containers."""
    store = Store.open()
    filters: dict[str, list[str]] = {}
    tests: list[Callable[[ContainerRow], bool]] = []
    if args.filter:
        from rootless.engine.views import container_filters

        filters = collect(args.filter, container_filters.FILTERS)
        tests = container_filters.tests(store, filters)
    every = args.all or args.last is not None or args.latest or "status" in filters or "exited" in filters
    rows = [row for row in listing.rows(store, every=every) if all(test(row) for test in tests)]
    if args.latest or (args.last is not None and args.last > 0):
        rows = rows[: 1 if args.latest else args.last]
    if args.sort:
        rows.sort(key=SORTED[args.sort], reverse=args.sort == "created")
    now = time.time()
    size = args.size or ".Size" in (args.format or "")  # who asks for the field asks for the figures
    pods = containers.names(store) if any(row.record.get("pod") for row in rows) else {}
    shown = [_shown(store, row, now, pods, full=args.no_trunc, size=size) for row in rows]
    columns = (*COLUMNS, *["Size"] * args.size, *["Pod", "PodName"] * args.pod)
    print_listing(shown, columns, headers=HEADERS, template=args.format, quiet=args.quiet, stored="psFormat",
                  heading=not args.noheading)  # fmt: skip
    return 0


def _shown(
    store: Store, row: ContainerRow, now: float, pods: dict[str, str], *, full: bool, size: bool
) -> dict[str, Any]:
    record = row.record
    created = units.parse_time(record["created_at"])
    command = listing.command(record)
    image = record["image"] or record["rootfs"]
    labels = record["labels"]
    pod = record.get("pod") or ""
    found: dict[str, Any] = {
        "ID": row.id if full else row.id[:12],
        "Image": image if full or not image.startswith("sha256:") else image[7:19],
        "Command": f'"{command if full else ellipsis(command, 20)}"',
        "RunningFor": units.ago(created, now=now),
        "Status": status_words.of(row, now),
        "Ports": listing.ports_column(row),
        "Names": row.name,
        "CreatedAt": units.local_time(created),
        "State": row.status.state,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Label": lambda name: labels.get(name, ""),
        "Mounts": ",".join(name for m in record["mounts"] if (name := m["volume"] or m["source"] or m.get("image", ""))),
        "LocalVolumes": str(sum(m["type"] == "volume" for m in record["mounts"])),
        "Networks": ",".join(sorted(listing.networks(record))),
        "Pid": str(row.status.pid),
        "ExitCode": str(row.status.exit_code),
        "Size": "0B",
        "Pod": pod if full else pod[:12],
        "PodName": pods.get(pod, ""),
    }
    if size:
        from rootless.storage.layers import layers
        from rootless.storage.maintenance import usage

        written = usage.container_bytes(store, row.id)
        whole = written + sum(layers.size(store, diff_id) for diff_id in record["diff_ids"])
        found["Size"] = f"{units.human_size_short(written)} (virtual {units.human_size_short(whole)})"
    return found


COMMAND = Command(
    name="ps",
    summary="List containers",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all containers (default shows just running)"),
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:container", convert=convert,
               help="Filter output based on conditions provided"),
        Option(("--format",), "format", VALUE, metavar="string", help="Format output: table, json, or a Go template"),
        Option(("-n", "--last"), "last", VALUE, metavar="int", convert=integer,
               help="Show n last created containers (includes all states)"),
        Option(("-l", "--latest"), "latest", FLAG, help="Show the latest created container (includes all states)"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Don't truncate output"),
        Option(("--noheading",), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("-p", "--pod"), "pod", FLAG, help="Show the ID and name of the pod that each container is in"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display container IDs"),
        Option(("-s", "--size"), "size", FLAG, help="Display total file sizes"),
        Option(("--sort",), "sort", VALUE, metavar="choice", convert=choice(*SORTED), complete="|".join(SORTED),
               help=f"Sort by {', '.join(SORTED)} (default created)"),
    ),
    handler=run,
    max_args=0,
)  # fmt: skip
