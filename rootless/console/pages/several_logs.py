"""The logs of several containers in one: interleaved by time, each line with its container's name and shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import KIND, RETRY, event, logged_in
from rootless.console.pages.logs import lines_of, open_log, stamped
from rootless.console.request import Answer, Problem

MOST = 8
"""Containers at once."""
SHAPES = "●■▲◆★◇○□"
SHOWN = 100
"""Lines of each, to begin with."""
_AHEAD = 200


def _key(time: str) -> tuple[str, str]:
    return time[:19], time[19:].strip(".Z").ljust(9, "0")


def _names(context: Context) -> list[str]:
    names = list(dict.fromkeys(context.request.words("name")))
    if len(names) > MOST:
        raise Problem(400, f"at most {MOST} logs at once")
    return names


async def _terminals(context: Context, names: list[str]) -> list[bool]:
    return [(await context.api.get("containers", name, "json"))["Config"]["Tty"] for name in names]


async def show(context: Context) -> Answer:
    """The form that chooses, and the last lines of those that ?name= ... chose."""
    names = _names(context)
    found = await context.api.get("containers", "json", all="1")
    there = sorted((each["State"] != "running", each["Names"][0].lstrip("/"), each["State"]) for each in found)
    terminals = await _terminals(context, names)
    lines: list[dict[str, str]] = []
    last = [""] * len(names)
    for number, name in enumerate(names):
        async with open_log(context, name, tail=str(SHOWN)) as reply:
            some = [{**_line(number, names, stream, text)} async for stream, text in lines_of(reply, tty=terminals[number])]
        last[number] = next((each["time"] for each in reversed(some) if each["time"]), "")
        lines += some
    lines.sort(key=lambda line: _key(line["time"]))
    choices = [{"name": name, "state": state, "chosen": name in names} for _, name, state in there]
    values = {
        "choices": choices, "names": names, "lines": lines, "since": ",".join(last), "most": MOST,
        "commands": [render.command("logs", "-f", "-t", name) for name in names],
    }  # fmt: skip
    return Answer(render.page("several_logs.html", session=context.session, title="Logs", **values))


def _line(number: int, names: list[str], stream: str, text: bytes) -> dict[str, str]:
    return {"who": f"{SHAPES[number]} {names[number]}", "stream": stream, **stamped(text)}


async def follow(context: Context) -> Answer:
    """What comes after ?since=, a time for each of the containers, as it comes; an event's id is such a list."""
    names = _names(context)
    if not names:
        raise Problem(400, "say whose logs")
    since = (context.request.headers.get("last-event-id") or context.request.query.get("since", "")).split(",")
    times = since if len(since) == len(names) else [""] * len(names)
    terminals = await _terminals(context, names)
    stack = AsyncExitStack()
    try:
        replies = [
            await stack.enter_async_context(open_log(context, name, follow="1", **({"since": time} if time else {"tail": "0"})))
            for name, time in zip(names, times, strict=True)
        ]
    except BaseException:
        await stack.aclose()
        raise
    heard: asyncio.Queue[tuple[int, str, bytes] | None] = asyncio.Queue(_AHEAD)
    tasks = [asyncio.ensure_future(_hear(number, reply, terminals[number], heard)) for number, reply in enumerate(replies)]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stack.aclose()

    return Answer(_told(context, names, times, heard), KIND, end=end)


async def _hear(number: int, reply: Reply, tty: bool, heard: asyncio.Queue[Any]) -> None:
    try:
        async for stream, text in lines_of(reply, tty=tty):
            await heard.put((number, stream, text))
    except Problem:
        pass  # of this one there is no more; the others go on
    await heard.put(None)


async def _told(
    context: Context, names: list[str], times: list[str], heard: asyncio.Queue[tuple[int, str, bytes] | None]
) -> AsyncIterator[bytes]:
    yield RETRY
    ended = 0
    while ended < len(names):
        found = await heard.get()
        if found is None:
            ended += 1
            continue
        if not logged_in(context):
            return
        number, stream, text = found
        line = _line(number, names, stream, text)
        if line["time"] and line["time"] == times[number]:
            continue  # it has been shown
        times[number] = line["time"] or times[number]
        yield b"id: " + ",".join(times).encode() + b"\n" + event(line)
    yield b"event: end\n" + event({})
