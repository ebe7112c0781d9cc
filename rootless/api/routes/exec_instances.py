"""Exec instances: made, started once, resized, looked at afterwards."""

from __future__ import annotations

from rootless.api.answer import frames
from rootless.api.request.fields import Fields
from rootless.api.routes.found import container
from rootless.api.routes.hijacked import Hijacked
from rootless.api.routes.lifecycle import size
from rootless.api.routes.route import ACTS, READS, RELAYS, Call, Reply, Route
from rootless.engine.lifecycle import exec_instances as engine
from rootless.engine.lifecycle.attach import terminal
from rootless.engine.state import exec_instances as instances
from rootless.engine.state import running
from rootless.engine.state.exec_instances import ExecConfig
from rootless.engine.views import exec as view
from rootless.errors import Conflict, InvalidInput, RootlessError

_LARGEST = 65535


def create(call: Call) -> Reply:
    """POST /containers/{id}/exec."""
    identifier, body = container(call), call.body
    rows, columns = _console(body)
    keys = body.text("DetachKeys")
    if keys:
        terminal.parse_detach_keys(keys)
    config = ExecConfig(
        "",
        "",
        [*map(str, body.command("Cmd") or [])],
        env=[str(word) for word in body.texts("Env") if "=" in word],
        workdir=body.text("WorkingDir"),
        user=body.text("User"),
        tty=body.flag("Tty"),
        privileged=body.flag("Privileged"),
        stdin=body.flag("AttachStdin"),
        stdout=body.flag("AttachStdout"),
        stderr=body.flag("AttachStderr"),
        detach_keys=keys,
        rows=rows,
        columns=columns,
    )
    return Reply({"Id": engine.create(call.store, identifier, config)}, 201)


def _console(body: Fields) -> tuple[int, int]:
    """ConsoleSize: rows and columns, 0 where it is not said."""
    numbers = body.numbers("ConsoleSize")
    if len(numbers) not in (0, 2) or not all(0 <= number <= _LARGEST for number in numbers):
        raise InvalidInput("invalid ConsoleSize: it is two numbers, rows and columns")
    return (numbers[0], numbers[1]) if numbers else (0, 0)


def start(call: Call) -> Reply | None:
    """POST /exec/{id}/start: hijacked, where a stream is asked for; else the process is on its own."""
    body, exchange, store = call.body, call.exchange, call.store
    config = instances.read(store, call.words["id"])
    rows, columns = _console(body)
    if body.flag("Detach") or not (config.stdin or config.stdout or config.stderr):
        engine.start(store, config.id, detach=True, rows=rows, columns=columns)
        return Reply(b"")
    if instances.status(store, config).state != "created":
        raise Conflict(f"exec command {config.id} has already run")
    running.require(store, config.container).close()
    tty = config.tty  # what the body says of it does not count
    keys = terminal.parse_detach_keys(config.detach_keys or terminal.DEFAULT_DETACH_KEYS)
    # First the head, then the process: what keeps it from beginning is an exit code, and a line in the stream.
    early = exchange.hijack(frames.content_type(call.version, tty=tty))
    peer = Hijacked(exchange, early, tty=tty, stdout=config.stdout, stderr=config.stderr)
    try:
        connection = engine.start(store, config.id, rows=rows, columns=columns)
    except RootlessError as error:
        peer.fail(error.message)
        return None
    assert connection is not None
    with connection:
        detached = peer.relay(connection, stdin=config.stdin, keys=keys if tty else None)
    if detached:
        engine.report_detached(store, config.id)
    return None


def resize(call: Call) -> Reply:
    """POST /exec/{id}/resize: it may come before the process is there, and waits for it then."""
    rows, columns = size(call)
    engine.resize(call.store, call.words["id"], rows, columns)
    return Reply(b"")


def inspect(call: Call) -> Reply:
    """GET /exec/{id}/json."""
    return Reply(view.inspect(call.store, call.words["id"]))


ROUTES: tuple[Route, ...] = (
    Route("POST", "/containers/{id}/exec", create, ACTS),
    Route("POST", "/exec/{id}/start", start, RELAYS),
    Route("POST", "/exec/{id}/resize", resize, ACTS),
    Route("GET", "/exec/{id}/json", inspect, READS),
)
