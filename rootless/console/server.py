"""The console's server: uvicorn on a socket of the owner's, until it is told to end or nobody has looked for a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from rootless.console import peers
from rootless.console.app import Console
from rootless.console.request import Problem

HEAD_LIMIT = 64 * 1024
HEAD_S = 15.0
"""Seconds from a connection, or from a request's first byte, to the end of the request's head."""
MESSAGE_LIMIT = 1 << 20
CONNECTIONS = 256
GRACE_S = 2


class _OwnersOnly(H11Protocol):
    """Hangs up on who is not the owner, before a byte is read."""

    refused = False
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        if not peers.is_owner(transport.get_extra_info("socket")):
            self.refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if not self.refused:
            super().data_received(data)
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.refused:
            super().connection_lost(exc)
            self._forget_late()

    def _await_head(self) -> None:
        """Hang up where a request's head does not come: who asks for nothing would take the place of somebody who does."""
        if self.conn.their_state is not h11.IDLE:
            self._forget_late()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self.transport.abort)

    def _forget_late(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None


class _Unexpected(logging.Filter):
    """Lets no stream through that broke off as streams may, since the engine's service has gone: the browser comes again by itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Problem))


class Server(uvicorn.Server):
    """Serves `console` on `sock`, which listens, until SIGTERM or SIGINT, or until `idle_s` seconds without a page (0: never).
    `ready` is called when those signals end it in order."""

    def __init__(self, console: Console, sock: socket.socket, idle_s: float, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                console, http=_OwnersOnly, ws=WSProtocol, loop="asyncio", lifespan="off", interface="asgi3", proxy_headers=False,
                server_header=False, access_log=False, date_header=False, log_config=None, h11_max_incomplete_event_size=HEAD_LIMIT,
                ws_max_size=MESSAGE_LIMIT, ws_per_message_deflate=False, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=GRACE_S,
            )
        )  # fmt: skip
        self._console = console
        self._sock = sock
        self._idle_s = idle_s
        self._ready = ready
        self._over = asyncio.Event()
        logging.getLogger("uvicorn.error").addFilter(_Unexpected())

    def serve_until_ended(self) -> None:
        """Serve; returns when it is over."""
        asyncio.run(self._run())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again when it is over: to be told to end is no failure of ours."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        self._ready()
        yield

    def handle_exit(self, sig: int, frame: Any) -> None:
        """To be told to end wakes the server, which sleeps until then: uvicorn would look ten times a second."""
        super().handle_exit(sig, frame)
        self._over.set()

    async def main_loop(self) -> None:
        """Until told to end."""
        await self._over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is followed, then all else."""
        self._console.ending.set()
        await super().shutdown(sockets)

    async def _run(self) -> None:
        idle = asyncio.ensure_future(self._end_when_idle()) if self._idle_s else None
        await self.serve(sockets=[self._sock])
        if idle:
            idle.cancel()
        await self._console.jobs.close()

    async def _end_when_idle(self) -> None:
        console = self._console
        while True:
            left = self._idle_s if console.in_use else console.used_s + self._idle_s - time.monotonic()
            if left <= 0:
                self.should_exit = True
                self._over.set()
                return
            await asyncio.sleep(left)
