"""`rootless logs`. Hot path."""

from __future__ import annotations

import sys

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.engine.lifecycle.attach.attach import write_all
from rootless.engine.options.clock import parse_moment
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.logs import logs
from rootless.errors import Conflict, InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GATHERED_BYTES = 1 << 16


def run(args: Args) -> int:
    """Print what the containers wrote, their stdout to ours and their stderr to ours."""
    store = Store.open()
    wanted = logs.window(
        tail=tail(args.tail),
        since=parse_moment(args.since) if args.since else None,
        until=parse_moment(args.until) if args.until else None,
    )
    identifiers = [containers.find(store, name) for name in chosen.names(store, args)]
    for identifier in identifiers:
        record = read_config(store, identifier)
        if record["log"]["driver"] == "journald":
            raise Conflict(
                f"the log of {containers.name_of(store, identifier) or identifier[:12]} is in systemd's journal",
                hint=f"read it there: journalctl CONTAINER_ID_FULL={identifier}",
            )
        if record["log"]["driver"] == "none":
            raise Conflict("configured logging driver does not support reading", hint="the container was made with --log-driver none")
    sys.stdout.flush()
    if args.follow:
        _follow(store, identifiers, wanted, args)
    else:
        for identifier in identifiers:
            _show(store, identifier, wanted, args, several=len(identifiers) > 1)
    return 0


def _show(store: Store, identifier: str, wanted: logs.Window, args: Args, *, several: bool) -> None:
    before = _before(store, identifier, args, several=several)
    gathered: list[bytes] = []
    size, stream = 0, ""
    for line in logs.read(containers.directory(store, identifier), wanted):
        if size >= _GATHERED_BYTES or line.stream != stream:
            _write(stream, b"".join(gathered))
            gathered, size, stream = [], 0, line.stream
        text = before(line) + line.text
        gathered.append(text)
        size += len(text)
    _write(stream, b"".join(gathered))


def _follow(store: Store, identifiers: list[str], wanted: logs.Window, args: Args) -> None:
    if len(identifiers) == 1:
        before = _before(store, identifiers[0], args, several=False)
        for line in _followed(store, identifiers[0], wanted):
            _write(line.stream, before(line) + line.text)
        return
    from queue import Queue
    from threading import Thread

    arrived: Queue[tuple[str, bytes] | None] = Queue(64)

    def read(identifier: str) -> None:
        try:
            before = _before(store, identifier, args, several=True)
            for line in _followed(store, identifier, wanted):
                arrived.put((line.stream, before(line) + line.text))
        finally:
            arrived.put(None)

    for identifier in identifiers:
        Thread(target=read, args=(identifier,), daemon=True).start()
    left = len(identifiers)
    while left:
        item = arrived.get()
        if item is None:
            left -= 1
        else:
            _write(*item)


def _followed(store: Store, identifier: str, wanted: logs.Window) -> Iterator[logs.Line]:
    def monitor() -> int | None:
        return running.monitor(store, identifier)

    from rootless.engine.state.logs.follow import LogFollower

    with LogFollower(containers.directory(store, identifier), wanted, monitor) as follower:
        yield from follower.lines()


def _before(store: Store, identifier: str, args: Args, *, several: bool) -> Callable[[logs.Line], bytes]:
    """What stands before each line: of several containers which one, in Podman's order; the time; and
    with --details what --log-opt asked for, at least Docker's blank."""
    whose = ""
    if args.names:
        whose = (containers.name_of(store, identifier) or identifier[:12]) + " "
    elif several:
        whose = identifier[:12] + " "
    details = ""
    if args.details:
        from rootless.engine.state.logs import options

        details = options.details(read_config(store, identifier)) + " "

    def before(line: logs.Line) -> bytes:
        if line.continued:
            return b""
        moment = f"{line.time} " if args.timestamps else ""
        return f"{whose}{moment}{details}".encode()

    return before


def _write(stream: str, text: bytes) -> None:
    if text:
        write_all(2 if stream == "stderr" else 1, text)


def tail(word: str) -> int | None:
    """How many lines --tail means; None: all of them. InvalidInput."""
    if word in ("all", ""):
        return None
    if word.lstrip("-").isdecimal() and len(word) < 20:
        return int(word) if int(word) >= 0 else None
    raise InvalidInput(f"invalid --tail: '{word}'", hint='a number of lines, or "all"')


COMMAND = Command(
    name="logs",
    summary="Fetch the logs of a container",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        Option(("--details",), "details", FLAG, help="Show extra details provided to logs"),
        Option(("-f", "--follow"), "follow", FLAG, help="Follow log output"),
        chosen.LATEST,
        Option(("--names",), "names", FLAG, help="Show the container's name before each line"),
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
    complete="container",
)  # fmt: skip
