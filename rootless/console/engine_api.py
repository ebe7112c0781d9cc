"""The Docker Engine API's client: one connection a request, on the service's Unix socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

import h11

from rootless.console.request import Problem

READ_SIZE = 64 * 1024
VERSION = "v1.44"
Query = dict[str, str]
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Reply:
    """An answer of the API's, whose body is still to come."""

    def __init__(self, status: int, parser: h11.Connection, reader: asyncio.StreamReader) -> None:
        self.status = status
        self._parser = parser
        self._reader = reader

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Problem 502 where it breaks off."""
        while True:
            event = await _next_event(self._parser, self._reader)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                return

    async def lines(self) -> AsyncIterator[bytes]:
        """The body's lines, without their ends; of documents, of events."""
        rest = b""
        async for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest

    async def body(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()])


class EngineApi:
    """The service that `connect` gives connections to. Problem 503 where nothing answers, and the API's own status and words where it
    refuses."""

    def __init__(self, connect: Connect) -> None:
        self._open_connection = connect

    async def get(self, *path: str, **query: str) -> Any:
        """A document; `path` in its parts, each quoted."""
        return await self.call("GET", *path, query=query)

    async def call(self, method: str, *path: str, query: Query | None = None, body: Any = None) -> Any:
        """The answer's document; None where there is none."""
        async with self.open(method, *path, query=query, body=body) as reply:
            text = await reply.body()
        return json.loads(text) if text.strip() else None

    @asynccontextmanager
    async def open(self, method: str, *path: str, query: Query | None = None, body: Any = None) -> AsyncIterator[Reply]:
        """A request whose answer is read piece by piece; leaving hangs up."""
        reader, writer = await self._connect()
        try:
            parser = h11.Connection(h11.CLIENT)
            writer.write(_request(parser, method, path, query or {}, body))
            await writer.drain()
            yield await _accepted(await _next_event(parser, reader), parser, reader)
        except (ConnectionError, h11.ProtocolError) as error:
            raise Problem(502, f"the engine's service broke off: {error}") from None
        finally:
            writer.close()

    @asynccontextmanager
    async def send(
        self, method: str, *path: str, pieces: AsyncIterator[bytes], size: int, query: Query | None = None, kind: str = "application/x-tar"
    ) -> AsyncIterator[Reply]:
        """As `open`, with a body of `size` bytes that is sent as it comes. An answer that comes before its end is the answer."""
        reader, writer = await self._connect()
        answered: asyncio.Future[Any] | None = None
        try:
            parser = h11.Connection(h11.CLIENT)
            headers = [("Content-Type", kind), ("Content-Length", str(size))]
            writer.write(parser.send(h11.Request(method=method, target=_target(path, query or {}), headers=[*_HEADERS, *headers])) or b"")
            answered = asyncio.ensure_future(_next_event(parser, reader))
            with suppress(ConnectionError):  # it has answered, and reads no further
                async for piece in pieces:
                    if answered.done():
                        break
                    writer.write(parser.send(h11.Data(data=piece)) or b"")
                    await writer.drain()
                else:
                    writer.write(parser.send(h11.EndOfMessage()) or b"")
            yield await _accepted(await answered, parser, reader)
        except (ConnectionError, h11.ProtocolError) as error:
            raise Problem(502, f"the engine's service broke off: {error}") from None
        finally:
            if answered:
                answered.cancel()
                await asyncio.gather(answered, return_exceptions=True)
            writer.close()

    async def hijack(self, *path: str, body: Any) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """A request that leaves HTTP: what has come already, and both ends. The caller closes the writer."""
        reader, writer = await self._connect()
        try:
            parser = h11.Connection(h11.CLIENT)
            writer.write(_request(parser, "POST", path, {}, body, upgrade=True))
            await writer.drain()
            head = await _next_event(parser, reader)
            if head.status_code != 101:
                raise Problem(head.status_code, _message(await Reply(head.status_code, parser, reader).body()))
            return bytes(parser.trailing_data[0]), reader, writer
        except (ConnectionError, h11.ProtocolError) as error:
            writer.close()
            raise Problem(502, f"the engine's service broke off: {error}") from None
        except BaseException:
            writer.close()
            raise

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await self._open_connection()
        except OSError as error:
            raise Problem(503, f"the engine's service does not answer: {error.strerror}") from None


_HEADERS = (("Host", "rootless"), ("User-Agent", "rootless-console"))


def _target(path: tuple[str, ...], query: Query) -> str:
    # Every part is quoted whole: a name from an address line is a name, never a path of the API's. `.` and `..` are no names there.
    return "/".join(["", VERSION, *(quote(part, safe="") for part in path)]) + (f"?{urlencode(query)}" if query else "")


def _request(parser: h11.Connection, method: str, path: tuple[str, ...], query: Query, body: Any, *, upgrade: bool = False) -> bytes:
    target = _target(path, query)
    headers = list(_HEADERS)
    content = b"" if body is None else json.dumps(body).encode()
    if upgrade:
        headers += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
    if body is not None or method == "POST":
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    sent = [parser.send(h11.Request(method=method, target=target, headers=headers))]
    if content:
        sent.append(parser.send(h11.Data(data=content)))
    return b"".join([*(each or b"" for each in sent), parser.send(h11.EndOfMessage()) or b""])


async def _accepted(head: h11.Response, parser: h11.Connection, reader: asyncio.StreamReader) -> Reply:
    """The reply of which `head` is the beginning; Problem for a refusal, with what it says."""
    reply = Reply(head.status_code, parser, reader)
    if head.status_code >= 400:
        raise Problem(head.status_code, _message(await reply.body()))
    return reply


async def _next_event(parser: h11.Connection, reader: asyncio.StreamReader) -> Any:
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await reader.read(READ_SIZE))
    except (ConnectionError, h11.ProtocolError) as error:
        raise Problem(502, f"the engine's service broke off: {error}") from None
    if isinstance(event, h11.ConnectionClosed):
        raise Problem(502, "the engine's service broke off")
    return event


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:500]
