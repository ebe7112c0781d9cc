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
_TERM = "TERM=xterm-256color"


async def show(context: Context, name: str) -> Answer:
    """The page; its script opens the WebSocket. xterm.js brings <style> elements."""
    found = await context.api.get("containers", name, "json")
    shown = found["Name"].lstrip("/")
    values = {"name": shown, "running": found["State"]["Running"], "command": render.command("exec", "-it", shown, "sh")}
    return Answer(render.page("terminal.html", session=context.session, title=f"Terminal in {shown}", **values), styles=True)


async def serve(context: Context, receive: Receive, send: Send, name: str) -> None:
    """Binary messages are what is typed and shown; {"columns": 80, "rows": 24} says how large the window is."""
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
        shown = asyncio.ensure_future(_show(reader, send, early))
        typed = asyncio.ensure_future(_type(context, identifier, receive, writer))
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


async def _show(reader: asyncio.StreamReader, send: Send, early: bytes) -> None:
    while data := early or await reader.read(READ_SIZE):
        early = b""
        await send({"type": "websocket.send", "bytes": data})


async def _type(context: Context, identifier: str, receive: Receive, writer: asyncio.StreamWriter) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        session = context.session
        if session is None or not context.sessions.alive(session):
            return
        context.sessions.touch(session)
        if (data := message.get("bytes")) is not None:
            writer.write(data)
            await writer.drain()
        elif size := _size(message.get("text") or ""):
            await context.api.call("POST", "exec", identifier, "resize", query=size)


def _size(text: str) -> dict[str, str] | None:
    """`{"columns": 80, "rows": 24}` as the API's query; None for anything else."""
    try:
        found: Any = json.loads(text)
        size = {"w": int(found["columns"]), "h": int(found["rows"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return {key: str(value) for key, value in size.items()} if all(0 < value <= _MOST for value in size.values()) else None
