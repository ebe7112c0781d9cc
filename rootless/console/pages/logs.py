"""A container's log: shown, followed, taken home as a file."""

from __future__ import annotations

import re
import struct
from collections.abc import AsyncIterator
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import RETRY, event, logged_in, streamed
from rootless.console.request import Answer

SHOWN = 500
"""Lines of a page, to begin with."""
LINE_LIMIT = 16 * 1024
"""Bytes of a line that are shown; the file has them all."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)", re.ASCII)
_FRAME = struct.Struct(">BxxxI")


async def show(context: Context, name: str) -> Answer:
    """The last lines. The page's script follows from there."""
    found = await context.api.get("containers", name, "json")
    async with open_log(context, name, tail=str(SHOWN)) as reply:
        lines = [line async for line in lines_of(reply, tty=found["Config"]["Tty"])]
    shown = [{"stream": stream, **stamped(text)} for stream, text in lines]
    last = shown[-1]["time"] if shown else ""
    return Answer(
        render.page(
            "logs.html", session=context.session, title=f"Log of {found['Name'].lstrip('/')}", name=found["Name"].lstrip("/"),
            lines=shown, last=last,
        )
    )  # fmt: skip


async def follow(context: Context, name: str) -> Answer:
    """What comes after ?since=TIME, as it comes. A page that was away asks from the last line that it has (Last-Event-ID)."""
    found = await context.api.get("containers", name, "json")
    since = context.request.headers.get("last-event-id") or context.request.query.get("since", "")

    async def lines(reply: Reply) -> AsyncIterator[bytes]:
        yield RETRY
        async for stream, text in lines_of(reply, tty=found["Config"]["Tty"]):
            if not logged_in(context):
                return
            line = stamped(text)
            if line["time"] != since or not since:
                yield b"id: " + line["time"].encode() + b"\n" + event({"stream": stream, **line})
        yield b"event: end\n" + event({})

    query = {"since": since} if since else {"tail": "0"}
    return await streamed(open_log(context, name, follow="1", **query), lines)


async def download(context: Context, name: str) -> Answer:
    """The whole log as a file."""
    found = await context.api.get("containers", name, "json")

    async def text(reply: Reply) -> AsyncIterator[bytes]:
        async for _, piece in _pieces(reply, found["Config"]["Tty"]):  # never a whole line: one may be longer than our memory
            yield piece

    disposition = f'attachment; filename="{name}.log"'  # a name has neither quotes nor slashes: the route's pattern
    return await streamed(open_log(context, name), text, "text/plain; charset=utf-8", {"Content-Disposition": disposition})


def open_log(context: Context, name: str, **query: str) -> Any:
    """The engine's answer with the container's log, opened by `async with`."""
    asked = {"stdout": "1", "stderr": "1", "timestamps": "1", **query}
    return context.api.open("GET", "containers", name, "logs", query=asked)


def stamped(line: bytes) -> dict[str, str]:
    """{"time", "text"}: when the engine wrote it (RFC 3339, "" for a piece of a line), and what is to be shown."""
    time, _, text = line.decode("utf-8", "replace").partition(" ")
    if not _TIME.fullmatch(time):  # a piece of a line; what stands here becomes an event's id, where a container has nothing to say
        time, text = "", line.decode("utf-8", "replace")
    return {"time": time, "text": render.printable(text.rstrip("\r"))}


async def lines_of(reply: Reply, *, tty: bool) -> AsyncIterator[tuple[str, bytes]]:
    """Stream and line, without its end; longer ones than LINE_LIMIT are cut, and what is held is bounded by that."""
    rests = {"stdout": b"", "stderr": b""}
    async for stream, piece in _pieces(reply, tty):
        *whole, rest = (rests[stream] + piece).split(b"\n")
        for line in whole:
            yield stream, line[:LINE_LIMIT]
        rests[stream] = rest[: 2 * LINE_LIMIT]
    for stream, rest in rests.items():
        if rest:
            yield stream, rest[:LINE_LIMIT]


async def _pieces(reply: Reply, tty: bool) -> AsyncIterator[tuple[str, bytes]]:
    """The output; of a container without a terminal in frames of 8 bytes and a load (Docker's attach)."""
    held = b""
    async for piece in reply.pieces():
        if tty:
            yield "stdout", piece
            continue
        held += piece
        while len(held) >= _FRAME.size:
            kind, size = _FRAME.unpack_from(held)
            if len(held) < _FRAME.size + size:
                break
            yield ("stderr" if kind == 2 else "stdout"), held[_FRAME.size : _FRAME.size + size]
            held = held[_FRAME.size + size :]
