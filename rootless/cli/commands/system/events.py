"""`rootless events`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.cli.flags.filters import collect, convert
from rootless.cli.grammar.command import LIST, VALUE, Args, Command, Option
from rootless.cli.output.format import for_people
from rootless.engine.options import clock
from rootless.engine.state import unrecorded_exits
from rootless.engine.state.events import event_log
from rootless.errors import InvalidInput
from rootless.storage.store import Store
from rootless.words import plain


def run(args: Args) -> int:
    """Print events, one a line, until --until or an interrupt."""
    template = None
    if args.format:
        from rootless.cli.output.format import NO_TEMPLATE

        try:
            template = _template(args.format)
        except InvalidInput as error:
            from rootless.cli.output.messages import complain

            complain(error)
            return NO_TEMPLATE
    store = Store.open()
    # Ends that no monitor reported, because it was killed; before the clock is read for --until.
    unrecorded_exits.notice_all(store)
    filters = collect(args.filter, event_log.FILTERS)
    since = clock.parse_moment(args.since) if args.since else None
    until = clock.parse_moment(args.until) if args.until else None
    for message in event_log.follow(
        store, since_ns=since, until_ns=until, filters=filters, meanwhile=lambda: unrecorded_exits.notice_all(store)
    ):
        print(plain(event_log.words(message)) if template is None else for_people(template(message)), flush=True)
    return 0


def _template(text: str) -> Callable[[dict[str, Any]], str]:
    """What makes a line of a message; tried on an empty one first, so that a wrong field is an error at once."""
    from rootless.cli.output.format import compiled
    from rootless.engine.views.types import gotypes, system

    parsed = compiled(text)

    def line(message: dict[str, Any]) -> str:
        return parsed.execute(gotypes.build(system.TYPES, "events.Message", message))

    line({})
    return line


COMMAND = Command(
    name="events",
    summary="Get real time events from containers, images and volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:event", convert=convert,
               help="Filter output based on conditions provided"),
        Option(("--format",), "format", VALUE, metavar="string", default="",
               help="Format output using a custom template: 'json' or a Go template"),
        Option(("--since",), "since", VALUE, metavar="string", default="", help="Show all events created since timestamp"),
        Option(("--until",), "until", VALUE, metavar="string", default="", help="Stream events until this timestamp"),
    ),
    handler=run,
    max_args=0,
    examples=(
        ("rootless events --since 10m --until 0s", "what happened in the last ten minutes"),
        ("rootless events --since 24h --until 0s --filter event=oom", "containers that ran out of memory"),
    ),
)  # fmt: skip
