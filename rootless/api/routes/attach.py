"""Attach, and wait: what stays connected with a container from before its start to its end.

The order of `docker run`: attach to the created container, wait for its next exit, and then start it. So both are
registered with the engine before their heads are sent (engine/lifecycle/attach/attachment.py, wait.py).
"""

from __future__ import annotations

from collections.abc import Callable

from rootless.api.answer import frames
from rootless.api.http import answers
from rootless.api.routes import websocket
from rootless.api.routes.found import container
from rootless.api.routes.hijacked import Hijacked
from rootless.api.routes.route import RELAYS, WAITS, Call, Route, encoded
from rootless.api.routes.streams import send_log
from rootless.engine.lifecycle.attach import client_events, terminal
from rootless.engine.lifecycle.attach.attachment import Attachment
from rootless.engine.lifecycle.wait import Waiter
from rootless.engine.state.config import read_config
from rootless.errors import RootlessError


def detach_keys(call: Call, stored: str) -> terminal.DetachKeys:
    """The keys that end an attachment: the request's, those the container was made with, or Docker's."""
    return terminal.parse_detach_keys(call.query.word("detachKeys") or stored or terminal.DEFAULT_DETACH_KEYS)


def join(call: Call) -> None:
    """POST /containers/{id}/attach."""
    _join(call, _hijacked)


def join_by_websocket(call: Call) -> None:
    """GET /containers/{id}/attach/ws: the same, where both sides send messages; output is raw, without frames."""
    websocket.check(call.exchange.head)
    _join(call, websocket.open_one)


def _hijacked(call: Call, tty: bool, wants: dict[str, bool]) -> Hijacked:
    early = call.exchange.hijack(frames.content_type(call.version, tty=tty))
    return Hijacked(call.exchange, early, tty=tty, stdout=wants["stdout"], stderr=wants["stderr"])


def _join(call: Call, peer_of: Callable[[Call, bool, dict[str, bool]], Hijacked]) -> None:
    query, store, exchange = call.query, call.store, call.exchange
    identifier = container(call)
    record = read_config(store, identifier)
    tty = record["tty"]
    keys = detach_keys(call, record["detach_keys"])
    wants = {name: query.flag(name) for name in ("stdin", "stdout", "stderr")}
    stdin = wants["stdin"] and record["open_stdin"]
    stream = query.flag("stream")
    with Attachment(store, identifier, stdin=stdin and stream) as attachment:
        peer = peer_of(call, tty, wants)
        try:
            if query.flag("logs"):
                send_log(call, record, peer)
            if not stream:
                return
            connection = attachment.wait(hangup=exchange.sock.fileno())
            if connection is None:
                return
            detached = peer.relay(connection, stdin=stdin, keys=keys if tty else None)
        except RootlessError as error:
            peer.fail(error.message)
            return
        finally:
            peer.close()
    if detached:
        client_events.detached(store, record)


def wait(call: Call) -> None:
    """POST /containers/{id}/wait: the head when the waiter is registered, the body at the end."""
    identifier, exchange = container(call), call.exchange
    condition = str(call.query.word("condition")) or "not-running"
    exchange.drain()
    with Waiter(call.store, identifier, condition) as waiter:
        exchange.begin(answers.JSON)
        ended = waiter.wait(hangup=exchange.sock.fileno())
        if ended is None:
            return
        document = {"StatusCode": ended.code, **({"Error": {"Message": ended.error}} if ended.error else {})}
        exchange.write(encoded(document))
        exchange.end()


ROUTES: tuple[Route, ...] = (
    Route("POST", "/containers/{id}/attach", join, RELAYS),
    Route("GET", "/containers/{id}/attach/ws", join_by_websocket, RELAYS),
    Route("POST", "/containers/{id}/wait", wait, WAITS),
)
