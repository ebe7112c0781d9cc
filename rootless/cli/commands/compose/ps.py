"""`rootless compose ps`."""

from __future__ import annotations

import json
import time
from typing import Any

from rootless.cli.commands.compose import project as projects
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import ellipsis
from rootless.cli.output.listing import print_listing
from rootless.compose.converge.observe import project_rows
from rootless.compose.plan import names
from rootless.engine.state import listing, status_words
from rootless.engine.state.listing import ContainerRow
from rootless.errors import InvalidInput
from rootless.network import ports
from rootless.storage.store import Store
from rootless.words import plain

STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")
COLUMNS = ("Name", "Image", "Command", "Service", "RunningFor", "Status", "Ports")
HEADERS = {
    "ID": "CONTAINER ID", "Name": "NAME", "Names": "NAMES", "Image": "IMAGE", "Command": "COMMAND", "Project": "PROJECT",
    "Service": "SERVICE", "RunningFor": "CREATED", "CreatedAt": "CREATED AT", "Status": "STATUS", "State": "STATE",
    "Health": "HEALTH", "ExitCode": "EXIT CODE", "Ports": "PORTS", "Labels": "LABELS", "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Size": "SIZE", "Publishers": "PUBLISHERS",
}  # fmt: skip


def run(args: Args) -> int:
    """List the project's containers, those that run or all."""
    name, project = projects.name_or_project(args.positional)
    if project is not None:
        for service in args.positional:
            if service not in project.services:
                raise InvalidInput(f"no such service: {service}")
    states = list(args.status)
    for word in args.filter:
        key, _, value = word.partition("=")
        if key != "status":
            raise InvalidInput(f"unknown filter {key}", hint="status=running")
        states.append(value)
    for state in states:
        if state not in STATES:
            raise InvalidInput(f"invalid status {state}", hint=f"one of {', '.join(STATES)}")
    rows = sorted(project_rows(Store.open(), name, every=args.all or bool(states)), key=lambda row: row.name)
    rows = [row for row in rows if _is_meant(row, args, states, None if project is None else {*project.services, *project.disabled})]
    if args.services:
        for service in sorted({row.record["labels"].get(names.SERVICE, "") for row in rows}):
            print(plain(service))
        return 0
    if args.quiet:
        for row in rows:
            print(row.id)
        return 0
    now = time.time()
    if args.format == "json":
        from rootless.cli.output.format import visible

        for row in rows:
            print(visible(json.dumps(_record(row, now, full=args.no_trunc), ensure_ascii=False, separators=(",", ":"))))
        return 0
    template = None if args.format in ("", "table", "pretty") else args.format
    print_listing([_shown(row, now, full=args.no_trunc) for row in rows], COLUMNS, headers=HEADERS, template=template)
    return 0


def _is_meant(row: ContainerRow, args: Args, states: list[str], known: set[str] | None) -> bool:
    labels = row.record["labels"]
    service = labels.get(names.SERVICE, "")
    if args.positional and service not in args.positional:
        return False
    if states and row.status.state not in states:
        return False
    if labels.get(names.ONEOFF) == "True" and not args.all:
        return False
    return args.orphans or known is None or service in known


def _record(row: ContainerRow, now: float, *, full: bool) -> dict[str, Any]:
    """As docker compose's ContainerSummary in JSON."""
    shown = _shown(row, now, full=full)
    publishers = [
        {"URL": m.host_ip or "0.0.0.0", "TargetPort": m.container_port, "PublishedPort": m.host_port, "Protocol": m.protocol}
        for m in listing.published(row)
    ]
    reached = {(m.container_port, m.protocol) for m in listing.published(row)}
    publishers += [
        {"URL": "", "TargetPort": port, "PublishedPort": 0, "Protocol": protocol}
        for port, protocol in ports.read_exposed(row.record["network"]["exposed"]) if (port, protocol) not in reached and row.status.pid
    ]  # fmt: skip
    return {
        "Command": shown["Command"], "CreatedAt": shown["CreatedAt"], "ExitCode": row.status.exit_code, "Health": row.health,
        "ID": row.id[:12], "Image": shown["Image"], "Labels": shown["Labels"], "LocalVolumes": shown["LocalVolumes"],
        "Mounts": shown["Mounts"], "Name": row.name, "Names": row.name, "Networks": shown["Networks"], "Ports": shown["Ports"],
        "Project": shown["Project"], "Publishers": publishers, "RunningFor": shown["RunningFor"], "Service": shown["Service"],
        "Size": "0B", "State": row.status.state, "Status": shown["Status"],
    }  # fmt: skip


def _shown(row: ContainerRow, now: float, *, full: bool) -> dict[str, Any]:
    record, labels = row.record, row.record["labels"]
    command = listing.command(record)
    created = units.parse_time(record["created_at"])
    return {
        "ID": row.id if full else row.id[:12], "Name": row.name, "Names": row.name, "Image": record["image"],
        "Command": f'"{command if full else ellipsis(command, 20)}"', "Project": labels.get(names.PROJECT, ""),
        "Service": labels.get(names.SERVICE, ""), "RunningFor": units.ago(created, now=now), "CreatedAt": units.local_time(created),
        "Status": status_words.of(row, now), "State": row.status.state, "Health": row.health, "ExitCode": str(row.status.exit_code),
        "Ports": listing.ports_column(row), "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Label": lambda name: labels.get(name, ""),
        "Mounts": ",".join(found for m in record["mounts"] if (found := m["volume"] or m["source"] or m.get("image", ""))),
        "LocalVolumes": str(sum(m["type"] == "volume" for m in record["mounts"])),
        "Networks": ",".join(sorted(listing.networks(record))), "Size": "0B", "Publishers": "",
    }  # fmt: skip


COMMAND = Command(
    name="compose ps",
    summary="List containers",
    usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all stopped containers (including those created by the run command)"),
        Option(("--filter",), "filter", LIST, metavar="string", help="Filter services by a property (supported filters: status)"),
        Option(("--format",), "format", VALUE, metavar="string", default="", help="Format output: table, json, or a Go template"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Don't truncate output"),
        Option(("--orphans",), "orphans", FLAG, default=True, help="Include orphaned services (not declared by project)"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display IDs"),
        Option(("--services",), "services", FLAG, help="Display services"),
        Option(("--status",), "status", LIST, metavar="string", complete="|".join(STATES),
               help="Filter services by status. Values: [paused | restarting | removing | running | dead | created | exited]"),
    ),
    handler=run,
)  # fmt: skip
