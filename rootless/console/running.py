"""The console that runs, by a file of the owner's: where it is, asked for a link; and the engine's service,
started where none listens."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator

from rootless import atomic, paths
from rootless.api.server import listener
from rootless.console import peers
from rootless.errors import RootlessError
from rootless.linux.socket import address_in
from rootless.record import Record

PATIENCE_S = 30.0
"""Seconds that a console, or a service that is started, has to answer."""
SERVICE_IDLE_S = 60
"""Seconds without a request after which a service that we started ends."""


_STEP_S = 0.02


class Place(Record):
    """Where a console listens: `path` of a Unix socket, or `port` on `host`, an address of loopback. `key`: what it is shown.
    `name`: what a browser calls it behind a tunnel. Nobody has had that name before, so nothing that another server once left in
    the browser for `localhost` (cookies, scripts kept for a year, a service worker) is there for ours (RFC 6761, 6.3: it is loopback)."""

    path: str
    host: str
    port: int
    key: str
    name: str


def file() -> str:
    """RUNTIME/console.json."""
    return f"{paths.runtime_dir()}/console.json"


@contextlib.contextmanager
def remembered(sock: socket.socket) -> Iterator[Place]:
    """While entered, the command line finds the console that listens on `sock`."""
    name = sock.getsockname()
    path = f"{paths.runtime_dir()}/console.sock" if sock.family == socket.AF_UNIX else ""
    own = f"rootless-{secrets.token_hex(4)}.localhost" if path else ""
    place = Place(path, "" if path else name[0], 0 if path else name[1], secrets.token_urlsafe(32), own)
    atomic.write_json(file(), place._asdict(), durable=False)
    try:
        yield place
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file())


def ask_for_link() -> tuple[Place, str] | None:
    """A one-time link's secret from the console that runs; None where none does. What a killed one left is as good as nothing."""
    try:
        place = Place(**atomic.read_json(file()))
        connection = http.client.HTTPConnection(place.host or "localhost", place.port or None, timeout=PATIENCE_S)
        connection.sock = _connected(place)
        connection.request("POST", "/link", headers={"X-Rootless-Key": place.key, "Content-Length": "0"})
        answer = connection.getresponse()
        if answer.status != 200:
            return None
        return place, str(json.loads(answer.read())["secret"])
    except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException, RootlessError):
        return None


def _connected(place: Place) -> socket.socket:
    if place.path:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address_in(*os.path.split(place.path)) as address:
            sock.connect(address)
        return sock
    if not peers.is_served_by_owner(place.host, place.port):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "another user listens there")
    return socket.create_connection((place.host, place.port), PATIENCE_S)


class EngineService:
    """The service of the Docker Engine API at `path`: what listens there, or else one that we start when it is wanted. It ends by
    itself when nobody has asked for a while, whatever becomes of us."""

    def __init__(self) -> None:
        self.path = listener.found_path()
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection. OSError where the service neither answers nor can be started."""
        try:
            return await self._connect()
        except (FileNotFoundError, ConnectionRefusedError):
            async with self._starting:
                try:
                    return await self._connect()  # another request may have started it meanwhile
                except (FileNotFoundError, ConnectionRefusedError):
                    return await self._start()

    async def _start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        words = [*paths.own_program(), "system", "service", "--time", str(SERVICE_IDLE_S), "--address", f"unix://{self.path}"]
        self._process = await asyncio.to_thread(_begin, words)
        for _ in range(round(PATIENCE_S / _STEP_S)):
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return await self._connect()
            if self._process.poll() is not None:
                raise OSError(errno.ECONNREFUSED, "it did not start: see why with `rootless system service`")
            await asyncio.sleep(_STEP_S)
        raise OSError(errno.ETIMEDOUT, "it did not begin to listen")

    def close(self) -> None:
        """End what was started. Containers have monitors of their own, and nothing of them ends."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Held over the call alone: it may name the socket by a descriptor of its directory, where the path is long.
        with address_in(*os.path.split(self.path)) as address:
            return await asyncio.open_unix_connection(address)


def _begin(words: list[str]) -> subprocess.Popen[bytes]:
    # In a session of its own: a Ctrl-C is for the console, which ends it in its turn.
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
