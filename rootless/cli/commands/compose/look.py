"""`rootless compose ls|volumes|top|stats|version`: what there is, in lists."""

from __future__ import annotations

import json
from typing import Any

from rootless import __version__
from rootless.cli.commands.compose.carry_out import chosen
from rootless.cli.commands.compose.verbs import meant
from rootless.cli.commands.container import stats as container_stats
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, choice
from rootless.cli.grammar.parser import parse
from rootless.cli.output.columns import print_table
from rootless.cli.output.listing import print_listing
from rootless.compose.converge.observe import project_rows
from rootless.compose.plan import names
from rootless.engine.options.patterns import pattern
from rootless.engine.state.listing import ContainerRow
from rootless.engine.views import top
from rootless.errors import InvalidInput
from rootless.storage import volumes as stored
from rootless.storage.store import Store
from rootless.words import plain


def _ls(args: Args) -> int:
    matchers = []
    for word in args.filter:
        key, equals, value = word.partition("=")
        if key != "name" or not equals:
            raise InvalidInput(f"invalid filter '{word}'", hint="name=PROJECT")
        matchers.append(pattern("name", value))
    projects: dict[str, list[ContainerRow]] = {}
    for row in project_rows(Store.open(), "", every=True):
        if row.record["labels"].get(names.ONEOFF) != "True":
            projects.setdefault(row.record["labels"][names.PROJECT], []).append(row)
    found = []
    for name in sorted(projects):
        rows = projects[name]
        if matchers and not any(match(name) for match in matchers):
            continue
        if not args.all and not any(row.status.state == "running" for row in rows):
            continue
        files = dict.fromkeys(row.record["labels"].get(names.CONFIG_FILES, "") for row in rows)
        found.append({"Name": name, "Status": _status(rows), "ConfigFiles": ",".join(word for word in files if word)})
    if args.quiet:
        for one in found:
            print(plain(one["Name"]))
    elif args.format == "json":
        print(json.dumps(found, separators=(",", ":")))
    else:
        print_table(["NAME", "STATUS", "CONFIG FILES"], [[one["Name"], one["Status"], one["ConfigFiles"]] for one in found])
    return 0


def _status(rows: list[ContainerRow]) -> str:
    """`exited(1), running(2)`."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status.state] = counts.get(row.status.state, 0) + 1
    return ", ".join(f"{state}({counts[state]})" for state in sorted(counts))


def _volumes(args: Args) -> int:
    work, observed = meant(args.positional)
    found = [one for one in stored.list_volumes(work.store) if one.labels.get(names.PROJECT) == work.name]
    if args.positional:
        used = {name for one in chosen(observed, args.positional) for name in one.volumes.values()}
        found = [one for one in found if one.name in used]
    rows: list[dict[str, Any]] = [
        {"Name": one.name, "Driver": "local", "Mountpoint": one.path, "Scope": "local", "Size": "N/A", "Links": "N/A",
         "Availability": "N/A", "Group": "N/A", "Status": "N/A", "Labels": ",".join(f"{key}={value}" for key, value in one.labels.items())}
        for one in sorted(found, key=lambda one: one.name)
    ]  # fmt: skip
    if args.format == "json":
        print(json.dumps(rows, separators=(",", ":")))
        return 0
    headers = {"Name": "VOLUME NAME", "Driver": "DRIVER", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS", "Scope": "SCOPE",
               "Size": "SIZE", "Links": "LINKS", "Availability": "AVAILABILITY", "Group": "GROUP", "Status": "STATUS"}  # fmt: skip
    template = None if args.format in ("", "table") else args.format
    print_listing(rows, ("Driver", "Name"), headers=headers, template=template, quiet=args.quiet, identity="Name")
    return 0


def _top(args: Args) -> int:
    work, observed = meant(args.positional)
    titles: list[str] = []
    rows: list[list[str]] = []
    for one in chosen(observed, args.positional):
        if one.runs:
            titles, found = top.processes(work.store, one.id, [])
            rows += [[one.service, str(one.number), *row] for row in found]
    if rows:
        print_table(["SERVICE", "#", *titles], rows, narrowest=0)
    return 0


def _stats(args: Args) -> int:
    _, observed = meant(args.positional)
    found = [one.id for one in chosen(observed, args.positional) if args.all or one.runs]
    if not found:
        print_table([container_stats.HEADERS[name] for name in container_stats.COLUMNS], [])
        return 0
    words = ["--no-stream"] * args.no_stream + ["--no-trunc"] * args.no_trunc + ([f"--format={args.format}"] if args.format else [])
    return container_stats.COMMAND.handler(parse(container_stats.COMMAND, [*words, *found]))


def _version(args: Args) -> int:
    if args.short:
        print(names.VERSION)
    elif args.format == "json":
        print(json.dumps({"version": f"v{names.VERSION}", "rootless": __version__}, separators=(",", ":")))
    else:
        print(f"Docker Compose version v{names.VERSION} (built into rootless {__version__})")
    return 0


LS = Command(
    name="compose ls", summary="List running compose projects", usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all stopped Compose projects"),
        Option(("--filter",), "filter", LIST, metavar="filter", help="Filter output based on conditions provided"),
        Option(("--format",), "format", VALUE, metavar="string", default="table", convert=choice("table", "json"), complete="table|json",
               help="Format the output. Values: [table | json]"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display project names"),
    ),
    handler=_ls, max_args=0,
)  # fmt: skip
VOLUMES = Command(
    name="compose volumes", summary="List volumes", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--format",), "format", VALUE, metavar="string", default="table", help="Format output: table, json, or a Go template"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display volume names"),
    ),
    handler=_volumes,
)  # fmt: skip
TOP = Command(name="compose top", summary="Display the running processes", usage="[SERVICES...]", options=(), handler=_top)
STATS = Command(
    name="compose stats", summary="Display a live stream of container(s) resource usage statistics", usage="[OPTIONS] [SERVICE]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all containers (default shows just running)"),
        Option(("--format",), "format", VALUE, metavar="string", default="", help="Format output using a custom template"),
        Option(("--no-stream",), "no_stream", FLAG, help="Disable streaming stats and only pull the first result"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Do not truncate output"),
    ),
    handler=_stats,
)  # fmt: skip
VERSION = Command(
    name="compose version", summary="Show the Docker Compose version whose words these are", usage="[OPTIONS]",
    options=(
        Option(("-f", "--format"), "format", VALUE, metavar="string", default="pretty", convert=choice("pretty", "json"),
               complete="pretty|json", help="Format the output. Values: [pretty | json]"),
        Option(("--short",), "short", FLAG, help="Shows only Compose's version number"),
    ),
    handler=_version, max_args=0,
)  # fmt: skip
