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

from rootless.api.answer import errors
from rootless.api.http import answers, limits
from rootless.api.http.exchange import ClientGone, Exchange
from rootless.api.routes import table
from rootless.api.routes.route import Call, Reply
from rootless.api.server import wire
from rootless.errors import NotFound, RootlessError, Unavailable, hint_for
from rootless.storage.store import Store
from rootless.words import plain_lines


def prepare() -> None:
    """What all workers share, done once: the routes' patterns compiled, and their modules imported."""
    table.compiled()


def run(sock: socket.socket, channel: socket.socket, received: bytes) -> NoReturn:
    """Answer the request, tell the front what becomes of the connection, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 0
    try:
        exchange = Exchange(sock, received)
        exchange.bound_stalls(limits.STALLED_S)
        try:
            answer(exchange, lambda: wire.may_stream(channel))
        except ClientGone:
            pass
        rest = exchange.keep_alive()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the service has ended meanwhile
            channel.send(wire.CLOSE if rest is None else wire.KEEP + rest)
    except BaseException:  # noqa: BLE001 - a fork never returns into the zygote's loop
        _show()
        status = 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def answer(exchange: Exchange, may_wait: Callable[[], bool]) -> None:
    """Find the route, run its handler, and answer with what it returns or raises. ClientGone. `may_wait`: whether there is
    room for one more request that does nothing else."""
    try:
        reply = _handled(exchange, may_wait)
    except RootlessError as error:
        _refuse(exchange, errors.status(error), errors.message(error))
        return
    except OSError as error:
        text = f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
        _refuse(exchange, 500, f"{text}\n{hint}" if (hint := hint_for(error)) else text)
        return
    except Exception as error:  # noqa: BLE001 - the end of the ladder, as in cli/main.py
        _show()
        _refuse(exchange, 500, f"internal error: {type(error).__name__}: {error}")
        return
    if reply is not None:
        exchange.answer(reply.status, reply.kind, reply.encoded(), reply.headers)


def _handled(exchange: Exchange, may_wait: Callable[[], bool]) -> Reply | None:
    found = table.find(exchange.head.method, exchange.head.path)
    if found is None:
        raise NotFound("page not found")
    route, words = found
    if route.policy.waits:
        exchange.bound_stalls(0)
    if route.policy.waits and not may_wait():
        raise Unavailable("the service has as many streams and waits open as it takes", hint="end some of them, and try again")
    call = Call(exchange, words, Store.open())
    if route.policy.joins:
        from rootless.session import session

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
