"""The console's server: uvicorn on a socket of the owner's, until it is told to end or nobody has looked for a while."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from rootless.console import peers
from rootless.console.app import Console

HEAD_LIMIT = 64 * 1024
MESSAGE_LIMIT = 1 << 20
CONNECTIONS = 256
GRACE_S = 2


class _OwnersOnly(H11Protocol):
    """Hangs up on who is not the owner, before a byte is read."""

    refused = False

    def connection_made(self, transport: Any) -> None:
        if not peers.is_owner(transport.get_extra_info("socket")):
            self.refused = True
            transport.abort()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self.refused:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.refused:
            super().connection_lost(exc)


class Server(uvicorn.Server):
    """Serves `console` on `sock`, which listens, until SIGTERM or SIGINT, or until `idle_s` seconds without a page (0: never)."""

    def __init__(self, console: Console, sock: socket.socket, idle_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                console, http=_OwnersOnly, ws=WSProtocol, loop="asyncio", lifespan="off", interface="asgi3", proxy_headers=False,
                server_header=False, access_log=False, log_config=None, h11_max_incomplete_event_size=HEAD_LIMIT,
                ws_max_size=MESSAGE_LIMIT, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=GRACE_S,
            )
        )  # fmt: skip
        self._console = console
        self._sock = sock
        self._idle_s = idle_s

    def serve_until_ended(self) -> None:
        """Serve; returns when it is over."""
        asyncio.run(self._run())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again when it is over: to be told to end is no failure of ours."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def _run(self) -> None:
        idle = asyncio.ensure_future(self._end_when_idle()) if self._idle_s else None
        await self.serve(sockets=[self._sock])
        if idle:
            idle.cancel()

    async def _end_when_idle(self) -> None:
        console = self._console
        while True:
            left = self._idle_s if console.streams else console.used_s + self._idle_s - time.monotonic()
            if left <= 0:
                self.should_exit = True
                return
            await asyncio.sleep(left)
