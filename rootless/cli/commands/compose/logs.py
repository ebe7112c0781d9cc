"""`rootless compose logs`."""

from __future__ import annotations

from rootless.cli.commands.compose.attached import shown_name
from rootless.cli.commands.compose.carry_out import chosen
from rootless.cli.commands.compose.log_lines import LogPrinter
from rootless.cli.commands.compose.verbs import meant
from rootless.cli.commands.container.logs import tail
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.cli.output.messages import say
from rootless.compose.converge.log_stream import LogStream, Target, readable
from rootless.engine.options.clock import parse_moment
from rootless.engine.state.logs import logs


def run(args: Args) -> int:
    """Print the logs of the containers, and with -f what comes, until all have ended."""
    work, observed = meant(args.positional)
    found = [one for one in chosen(observed, args.positional) if args.index in (0, one.number)]
    for one in found:
        if not readable(work.store, one.id):
            say(f"WARNING: {one.name}: configured logging driver does not support reading")
    wanted = logs.window(
        tail=tail(args.tail),
        since=parse_moment(args.since) if args.since else None,
        until=parse_moment(args.until) if args.until else None,
    )
    printer = LogPrinter(prefix=not args.no_log_prefix, colours=not args.no_color, timestamps=args.timestamps)
    targets = [Target(one.id, shown_name(work.name, one)) for one in found]
    printer.know(targets)
    with LogStream(work.store, wanted, printer) as stream:
        stream.add(targets)
        while args.follow and stream.followed:
            stream.drain()
            if stream.followed:
                stream.wait()
        if not args.follow:
            stream.drain()
    printer.finish()
    return 0


COMMAND = Command(
    name="compose logs",
    summary="View output from containers",
    usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("-f", "--follow"), "follow", FLAG, help="Follow log output"),
        Option(("--index",), "index", VALUE, metavar="int", default=0, convert=integer,
               help="index of the container if service has multiple replicas"),
        Option(("--no-color",), "no_color", FLAG, help="Produce monochrome output"),
        Option(("--no-log-prefix",), "no_log_prefix", FLAG, help="Don't print prefix in logs"),
        Option(("--since",), "since", VALUE, metavar="string",
               help="Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
        Option(("-n", "--tail"), "tail", VALUE, metavar="string", default="all",
               help="Number of lines to show from the end of the logs for each container"),
        Option(("-t", "--timestamps"), "timestamps", FLAG, help="Show timestamps"),
        Option(("--until",), "until", VALUE, metavar="string",
               help="Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
    ),
    handler=run,
)  # fmt: skip
