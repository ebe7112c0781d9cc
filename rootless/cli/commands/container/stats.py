"""`rootless stats`."""

from __future__ import annotations

import sys
import time

from rootless.cli import client_config
from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import render
from rootless.cli.output.listing import print_listing
from rootless.engine.views import stats
from rootless.engine.views.stats import Figures
from rootless.errors import InvalidInput
from rootless.storage.store import Store

HEADERS = {
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
    "Container": "CONTAINER",
}
COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
ONCE_S, LIVE_S = 0.5, 1.0
BAR_WIDTH = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def run(args: Args) -> int:
    """Show what the containers use: once, or anew each second until interrupted."""
    template = args.format or client_config.text("statsFormat")
    store = Store.open()
    if args.newest and args.all:
        raise InvalidInput("--latest stands for a name: --all does not go with it")
    names = chosen.names(store, args)
    identifiers = stats.selected(store, names, every=args.all)
    before = stats.sample(store, identifiers)
    while True:
        time.sleep(ONCE_S if args.no_stream else LIVE_S)
        if not args.no_stream:
            identifiers = stats.selected(store, names, every=args.all)
        after = stats.sample(store, identifiers)
        _print(stats.compare(before, after), template, args)
        if args.no_stream:
            return 0
        before = after


def _print(figures: list[Figures], template: str, args: Args) -> None:
    rows = [_row(one, full=args.no_trunc) for one in figures]
    live = not args.no_stream and sys.stdout.isatty()
    if template or not live:
        if live:
            sys.stdout.write("\x1b[H\x1b[J")
        print_listing(rows, COLUMNS, headers=HEADERS, template=template)
        sys.stdout.flush()
        return
    shown = []
    for one, row in zip(figures, rows, strict=True):
        row["CPUPerc"] = f"{bar(one.cpu_percent)} {row['CPUPerc']}"
        row["MemPerc"] = f"{bar(one.memory_percent)} {row['MemPerc']}"
        shown.append([row[name] for name in COLUMNS])
    # Home, the table over the old one, and each line's rest and all below cleared: no flicker.
    table = render([HEADERS[name] for name in COLUMNS], shown).replace("\n", "\x1b[K\n")
    sys.stdout.write("\x1b[H" + table + "\x1b[J")
    sys.stdout.flush()


def bar(percent: float) -> str:
    """A bar of BAR_WIDTH letters that is full at 100."""
    eighths = round(min(max(percent, 0.0), 100.0) / 100 * BAR_WIDTH * 8)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")).ljust(BAR_WIDTH, "·")


def _row(one: Figures, *, full: bool) -> dict[str, str]:
    identifier = one.id if full else one.id[:12]
    found = {"ID": identifier, "Container": identifier, "Name": one.name}
    usage = one.usage
    if usage is None:
        return {
            **found, "CPUPerc": "--", "MemUsage": "-- / --", "MemPerc": "--", "NetIO": "--",
            "BlockIO": "--", "PIDs": "--",
        }  # fmt: skip
    return {
        **found,
        "CPUPerc": f"{one.cpu_percent:.2f}%",
        "MemUsage": f"{units.binary_size(usage.memory_bytes)} / {units.binary_size(one.limit_bytes)}",
        "MemPerc": f"{one.memory_percent:.2f}%",
        "NetIO": f"{units.human_size_short(usage.received_bytes)} / {units.human_size_short(usage.sent_bytes)}",
        "BlockIO": f"{units.human_size_short(usage.read_bytes)} / {units.human_size_short(usage.written_bytes)}",
        "PIDs": str(usage.processes),
    }


COMMAND = Command(
    name="stats",
    summary="Display a live stream of container(s) resource usage statistics",
    usage="[OPTIONS] [CONTAINER...]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Show all containers (default shows just running)"),
        Option(("--format",), "format", VALUE, metavar="string", default="",
               help="Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        chosen.LATEST,
        Option(("--no-stream",), "no_stream", FLAG, help="Disable streaming stats and only pull the first result"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Do not truncate output"),
    ),
    handler=run,
    complete="container",
)  # fmt: skip
