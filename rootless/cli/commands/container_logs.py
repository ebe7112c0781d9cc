"""`rootless logs`."""

from __future__ import annotations

import sys

from rootless.cli.command import FLAG, VALUE, Args, Command, Option
from rootless.engine.life.attach import write_all
from rootless.engine.state import logs, running
from rootless.engine.state.record import Record
from rootless.engine.words.clock import parse_moment
from rootless.errors import Conflict, InvalidInput
from rootless.storage import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Print what the container wrote, its stdout to ours and its stderr to ours."""
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    record: Record = containers.config(store, identifier)  # type: ignore[assignment]
    if record["log"]["driver"] == "none":
        raise Conflict("configured logging driver does not support reading", hint="the container was made with --log-driver none")
    directory = containers.directory(store, identifier)
    tail = _tail(args.tail)
    since = parse_moment(args.since) if args.since else None
    until = parse_moment(args.until) if args.until else None
    if args.follow:

        def monitor() -> int | None:
            return running.monitor(store, identifier)

        lines = logs.follow(directory, monitor(), tail=tail, since=since, until=until, successor=monitor)
    else:
        lines = logs.select_lines(logs.read(directory), tail=tail, since=since, until=until)
    sys.stdout.flush()
    for line in lines:
        prefix = f"{line.time} ".encode() if args.timestamps else b""
        write_all(2 if line.stream == "stderr" else 1, prefix + line.text)
    return 0


def _tail(word: str) -> int | None:
    if word in ("all", ""):
        return None
    if word.lstrip("-").isdecimal():
        return int(word) if int(word) >= 0 else None
    raise InvalidInput(f"invalid --tail: '{word}'", hint='a number of lines, or "all"')


COMMAND = Command(
    name="logs",
    summary="Fetch the logs of a container",
    usage="[OPTIONS] CONTAINER",
    options=(
        Option(("-f", "--follow"), "follow", FLAG, help="Follow log output"),
        Option(("--since",), "since", VALUE, metavar="string",
               help='Show logs since timestamp (e.g. "2026-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
        Option(("-n", "--tail"), "tail", VALUE, metavar="string", default="all",
               help="Number of lines to show from the end of the logs"),
        Option(("-t", "--timestamps"), "timestamps", FLAG, help="Show timestamps"),
        Option(("--until",), "until", VALUE, metavar="string",
               help='Show logs before a timestamp (e.g. "2026-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
    ),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container",
)  # fmt: skip
