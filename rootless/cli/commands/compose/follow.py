"""`rootless compose events|wait`: what happens to a project's containers."""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

from rootless.cli.commands.compose.carry_out import chosen
from rootless.cli.commands.compose.verbs import meant
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.compose.plan import names
from rootless.compose.plan.down import DownAsked, plan_down
from rootless.engine.lifecycle import wait as waiting
from rootless.engine.options import clock
from rootless.engine.state import unrecorded_exits
from rootless.engine.state.events import event_log
from rootless.errors import InvalidInput
from rootless.words import COMPOSE_LABEL, plain


def _events(args: Args) -> int:
    work, _ = meant(args.positional)
    unrecorded_exits.notice_all(work.store)
    since = clock.parse_moment(args.since) if args.since else None
    until = clock.parse_moment(args.until) if args.until else None
    filters = {"type": ["container"], "label": [f"{names.PROJECT}={work.name}"]}
    for message in event_log.follow(
        work.store, since_ns=since, until_ns=until, filters=filters, meanwhile=lambda: unrecorded_exits.notice_all(work.store)
    ):
        attributes: dict[str, Any] = message["Actor"]["Attributes"]
        service = attributes.get(names.SERVICE, "")
        if args.positional and service not in args.positional:
            continue
        shown = {key: value for key, value in attributes.items() if not key.startswith(COMPOSE_LABEL)}
        moment = clock.from_nanoseconds(int(message["timeNano"]))
        action, identifier = message["Action"], message["Actor"]["ID"]
        if args.json:
            line = {"time": moment, "type": "container", "service": service, "id": identifier, "action": action, "attributes": shown}
            print(json.dumps(line, separators=(",", ":")), flush=True)
        else:
            pairs = ", ".join(f"{key}={value}" for key, value in sorted(shown.items()))
            print(plain(f"{moment[:26].replace('T', ' ').rstrip('Z')} container {action} {identifier} ({pairs})"), flush=True)
    return 0


def _wait(args: Args) -> int:
    work, observed = meant(args.positional)
    found = chosen(observed, args.positional)
    if not found:
        raise InvalidInput(f"no containers for project \"{work.name}\": no such service")
    status = 0
    sys.stdout.flush()
    # One process for each: a wait blocks.
    waits: dict[int, tuple[int, str]] = {}
    poller = select.poll()
    for one in found:
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            code = 255
            try:
                code = waiting.wait(work.store, one.id)
                os.write(theirs, str(code).encode())
            finally:
                os._exit(0 if code >= 0 else 1)
        os.close(theirs)
        waits[ours] = (pid, one.name)
        poller.register(ours, select.POLLIN)
    while waits:
        for fd, _ in poller.poll():
            text = os.read(fd, 64)
            pid, name = waits.pop(fd)
            poller.unregister(fd)
            os.close(fd)
            os.waitpid(pid, 0)
            status = int(text or b"137")
            print(f'container "{plain(name)}" exited with status code {status}', flush=True)
    if args.down_project:
        observed = work.observe()
        work.run(plan_down(work.project, work.name, observed, DownAsked()))
    return status


EVENTS = Command(
    name="compose events", summary="Receive real time events from containers", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--json",), "json", FLAG, help="Output events as a stream of json objects"),
        Option(("--since",), "since", VALUE, metavar="string", default="", help="Show all events created since timestamp"),
        Option(("--until",), "until", VALUE, metavar="string", default="", help="Stream events until this timestamp"),
    ),
    handler=_events,
)  # fmt: skip
WAIT = Command(
    name="compose wait", summary="Block until containers of all (or specified) services stop", usage="SERVICE [SERVICE...] [OPTIONS]",
    options=(Option(("--down-project",), "down_project", FLAG, help="Drops project when the first container stops"),),
    handler=_wait, min_args=1,
)  # fmt: skip
