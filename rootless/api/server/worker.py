"""A worker: one request, from its bytes to the end of its answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from rootless import user_config
from rootless.api.answer import errors
from rootless.api.http import answers, limits
from rootless.api.http.exchange import ClientGone, Exchange
from rootless.api.routes import table
from rootless.api.routes.route import Call, Reply
from rootless.api.server import wire
from rootless.errors import NotFound, RootlessError, Unavailable, hint_for
from rootless.session import session
from rootless.storage import disk_errors
from rootless.storage.store import Store
from rootless.words import plain_lines


def prepare() -> None:
    """What all workers share, done once: the routes' patterns compiled, and their modules imported."""
    table.compiled()


def run(requests: socket.socket) -> NoReturn:
    """Answer requests that the zygote hands over, until one has made something else of this process than it was."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        while (taken := wire.take(requests)) is not None:
            if not _serve(requests, *taken):
                break
        status = 0
    except BaseException:  # noqa: BLE001 - a fork never returns into the zygote's loop
        _show()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _serve(requests: socket.socket, sock: socket.socket, channel: socket.socket, received: bytes) -> bool:
    """Answer one request, and tell the front what becomes of the connection. Whether this process can take another."""
    user_config.forget()
    with sock, channel:
        exchange = Exchange(sock, received)
        exchange.bound_stalls(limits.STALLED_S)
        try:
            answer(exchange, lambda: wire.may_stream(channel), requests.close)
        except ClientGone:
            requests.close()
        rest = exchange.keep_alive()
        # The zygote hears before the front does: the connection's next request finds this worker.
        again = requests.fileno() >= 0 and not session.inside() and _told(requests, wire.FREE)
        _told(channel, wire.CLOSE if rest is None else wire.KEEP + rest)
    return again


def _told(end: socket.socket, packet: bytes) -> bool:
    """False where nobody is left to hear it: the service has ended meanwhile."""
    try:
        end.send(packet)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def answer(exchange: Exchange, may_wait: Callable[[], bool], last: Callable[[], None]) -> None:
    """Find the route, run its handler, and answer with what it returns or raises. ClientGone. `may_wait`: whether there is
    room for one more request that does nothing else. `last` is called where this process can answer no other after it."""
    try:
        reply = _handled(exchange, may_wait, last)
    except RootlessError as error:
        _refuse(exchange, errors.status(error), errors.message(error))
        return
    except OSError as error:
        last()
        text = f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
        told = disk_errors.explain(error)
        if told is not None:
            text = f"{text} ({told.what})"
        hint = told.hint if told is not None else hint_for(error)
        _refuse(exchange, 500, f"{text}\n{hint}" if hint else text)
        return
    except Exception as error:  # noqa: BLE001 - the end of the ladder, as in cli/main.py
        last()
        _show()
        _refuse(exchange, 500, f"internal error: {type(error).__name__}: {error}")
        return
    if reply is not None:
        exchange.answer(reply.status, reply.kind, reply.encoded(), reply.headers)


def _handled(exchange: Exchange, may_wait: Callable[[], bool], last: Callable[[], None]) -> Reply | None:
    found = table.find(exchange.head.method, exchange.head.path)
    if found is None:
        raise NotFound("page not found")
    route, words = found
    if not route.policy.again:
        last()  # before anything is started that would hold what this closes
    if route.policy.waits:
        exchange.bound_stalls(0)
    if route.policy.waits and not may_wait():
        raise Unavailable("the service has as many streams and waits open as it takes", hint="end some of them, and try again")
    call = Call(exchange, words, Store.open())
    if route.policy.joins:
        session.join()
    if not route.policy.watched:
        return route.handler(call)
    with exchange.watched():
        return route.handler(call)


def _show() -> None:
    """The exception that is being handled, on the service's stderr: its words may be a container's or a client's, and what
    reads them a terminal."""
    sys.stderr.write(plain_lines(traceback.format_exc()))


def _refuse(exchange: Exchange, status: int, text: str) -> None:
    """An error as an answer; where one has begun already the connection just ends, and the client sees it cut short."""
    if not exchange.answered:
        exchange.answer(status, answers.JSON, errors.body(text))
