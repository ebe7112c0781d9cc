"""What a container says and uses, for as long as the client listens: logs, figures."""

from __future__ import annotations

from collections.abc import Iterator

from rootless.api.answer import frames
from rootless.api.http import answers
from rootless.api.routes.found import container
from rootless.api.routes.hijacked import Hijacked
from rootless.api.routes.route import WAITS, Call, Route, encoded
from rootless.engine.options import clock
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.logs import logs as reading
from rootless.engine.state.logs import options as log_options
from rootless.engine.state.logs.follow import LogFollower
from rootless.engine.views import container_stats
from rootless.errors import Conflict, InvalidInput
from rootless.storage.containers import containers

_GATHERED_BYTES = 64 * 1024


def logs(call: Call) -> None:
    """GET /containers/{id}/logs: framed, or raw of a terminal."""
    query, exchange = call.query, call.exchange
    wanted = {name for name in ("stdout", "stderr") if query.flag(name)}
    if not wanted:
        raise InvalidInput("Bad parameters: you must choose at least one stream")
    identifier = container(call)
    record = read_config(call.store, identifier)
    if record["log"]["driver"] != "json-file":
        raise Conflict("configured logging driver does not support reading")
    window = reading.window(tail=_tail(query.word("tail", "all")), since=_moment(call, "since"), until=_moment(call, "until"))
    exchange.begin(frames.content_type(call.version, tty=record["tty"]))
    before = log_options.details(record) + " " if query.flag("details") else ""
    gathered: list[bytes] = []
    size = 0
    follow = query.flag("follow")
    for line in _followed(call, identifier, window) if follow else _there(call, identifier, window):
        if line.stream not in wanted:
            continue
        moment = f"{line.time} " if query.flag("timestamps") else ""
        text = (b"" if line.continued else f"{moment}{before}".encode()) + line.text
        stream = frames.STDERR if line.stream == "stderr" else frames.STDOUT
        gathered.append(text if record["tty"] else frames.frame(stream, text))
        size += len(text)
        if follow or size >= _GATHERED_BYTES:
            exchange.write(b"".join(gathered))
            gathered, size = [], 0
    exchange.write(b"".join(gathered))
    exchange.end()


def send_log(call: Call, record: ContainerConfig, peer: Hijacked) -> None:
    """What has been said before: `logs` of an attachment."""
    if record["log"]["driver"] != "json-file":
        return
    for line in _there(call, record["id"], reading.window()):
        peer.say(frames.STDERR if line.stream == "stderr" else frames.STDOUT, line.text)


def _there(call: Call, identifier: str, window: reading.Window) -> Iterator[reading.Line]:
    return reading.read(containers.directory(call.store, identifier), window)


def _followed(call: Call, identifier: str, window: reading.Window) -> Iterator[reading.Line]:
    with LogFollower(
        containers.directory(call.store, identifier), window, lambda: running.monitor(call.store, identifier)
    ) as follower:
        yield from follower.lines()


def _tail(word: str) -> int | None:
    """A number of lines; all for `all`, a negative one and anything else."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) < 19 else None


def _moment(call: Call, name: str) -> int | None:
    """Seconds with a fraction, or a time; 0 is none."""
    word = call.query.word(name)
    return None if word.strip("0.") == "" else clock.parse_moment(word)


def usage(call: Call) -> None:
    """GET /containers/{id}/stats: an object a second, or one."""
    query, exchange, identifier = call.query, call.exchange, container(call)
    exchange.begin(answers.JSON)
    if not query.flag("stream", default=True):
        exchange.write(encoded(container_stats.once(call.store, identifier, one_shot=query.flag("one-shot"))))
    else:
        for document in container_stats.follow(call.store, identifier, hangup=exchange.sock.fileno()):
            exchange.write(encoded(document))
    exchange.end()


ROUTES: tuple[Route, ...] = (
    Route("GET", "/containers/{id}/logs", logs, WAITS),
    Route("GET", "/containers/{id}/stats", usage, WAITS),
)
