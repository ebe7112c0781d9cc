"""A terminal in a container: an exec of its own, between xterm.js and the engine. Nothing of it is looked at on the way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rootless.console.engine_api import READ_SIZE
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, Problem, Receive, Send

PROTOCOL = "rootless.console"
SHELL = ["/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"]
"""Docker's clients ask for sh; whoever has bash wants that."""
_MOST = 1000
_AHEAD_LIMIT = 1 << 20
"""Bytes that the browser was sent and has not shown yet, from which on it gets no more."""
_TERM = "TERM=xterm-256color"


async def show(context: Context, name: str) -> Answer:
    """The page; its script opens the WebSocket. xterm.js brings <style> elements."""
    found = await context.api.get("containers", name, "json")
    shown = found["Name"].lstrip("/")
    values = {"name": shown, "running": found["State"]["Running"], "command": render.command("exec", "-it", shown, "sh")}
    return Answer(render.page("terminal.html", session=context.session, title=f"Terminal in {shown}", **values), styles=True)


async def serve(context: Context, receive: Receive, send: Send, name: str) -> None:
    """Binary messages are what is typed and shown; {"columns": 80, "rows": 24} says how large the window is, {"shown": 4096} how
    many more bytes it has shown."""
    try:
        asked = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": True, "Env": [_TERM], "Cmd": SHELL}
        identifier = (await context.api.call("POST", "containers", name, "exec", body=asked))["Id"]
        early, reader, writer = await context.api.hijack("exec", identifier, "start", body={"Tty": True})
    except Problem as problem:
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await send({"type": "websocket.send", "text": json.dumps({"problem": problem.text})})
        await send({"type": "websocket.close", "code": 1011})
        return
    try:
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        ahead = _Ahead()
        shown = asyncio.ensure_future(_show(reader, send, early, ahead))
        typed = asyncio.ensure_future(_type(context, identifier, receive, writer, ahead))
        try:
            await asyncio.wait({shown, typed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (shown, typed):
                task.cancel()
            await asyncio.gather(shown, typed, return_exceptions=True)
        status = (await context.api.get("exec", identifier, "json"))["ExitCode"]
        await send({"type": "websocket.send", "text": json.dumps({"exit": status})})
        await send({"type": "websocket.close", "code": 1000})
    except (Problem, RuntimeError):
        pass  # the engine or the browser has gone: nobody is left to be told
    finally:
        writer.close()


class _Ahead:
    """How far the browser is behind. A WebSocket takes all that comes: what a container writes without end would fill the tab."""

    def __init__(self) -> None:
        self._size = 0
        self.room = asyncio.Event()
        self.room.set()

    def add(self, size: int) -> None:
        """`size` bytes were sent, or, where it is negative, have been shown."""
        self._size = max(0, self._size + size)
        (self.room.set if self._size < _AHEAD_LIMIT else self.room.clear)()


async def _show(reader: asyncio.StreamReader, send: Send, early: bytes, ahead: _Ahead) -> None:
    while data := early or await reader.read(READ_SIZE):
        early = b""
        await send({"type": "websocket.send", "bytes": data})
        ahead.add(len(data))
        await ahead.room.wait()


async def _type(context: Context, identifier: str, receive: Receive, writer: asyncio.StreamWriter, ahead: _Ahead) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        session = context.session
        if session is None or not context.sessions.alive(session):
            return
        if (data := message.get("bytes")) is not None:
            writer.write(data)
            await writer.drain()
            continue
        told = _told(message.get("text") or "")
        if type(told.get("shown")) is int:
            ahead.add(-max(0, told["shown"]))
        elif size := _size(told):
            await context.api.call("POST", "exec", identifier, "resize", query=size)


def _told(text: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _size(told: dict[str, Any]) -> dict[str, str] | None:
    """`{"columns": 80, "rows": 24}` as the API's query; None for anything else."""
    try:
        size = {"w": int(told["columns"]), "h": int(told["rows"])}
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return {key: str(value) for key, value in size.items()} if all(0 < value <= _MOST for value in size.values()) else None
