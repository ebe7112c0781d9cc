"""What a page follows while it is open, as server-sent events (HTML Living Standard, 9.2): that something changed, and figures."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages.context import Context
from rootless.console.request import Answer

KIND = "text/event-stream"
LOOKS = ("top", "archive-path", "export", "attach", "detach", "resize")
"""Events of who looks at a container, or is in it: a page that looked again would make the next one."""
RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser comes again where it was cut off."""


def event(document: object) -> bytes:
    """One event."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


async def streamed(
    opened: AbstractAsyncContextManager[Reply], pieces: Callable[[Reply], AsyncIterator[bytes]], kind: str = KIND,
    headers: dict[str, str] | None = None,
) -> Answer:  # fmt: skip
    """What `pieces` makes of an answer of the engine's, as it comes. The engine's refusal is ours, with its status."""
    reply = await opened.__aenter__()

    async def end() -> None:
        await opened.__aexit__(None, None, None)

    return Answer(pieces(reply), kind, headers=headers, end=end)


def logged_in(context: Context) -> bool:
    """Whether the session that follows something has not ended meanwhile."""
    return context.session is not None and context.sessions.alive(context.session)


async def changes(context: Context) -> Answer:
    """The engine's events, as far as a page has to know them: of what noun and what happened. What was looked at is looked at again."""

    async def follow(reply: Reply) -> AsyncIterator[bytes]:
        yield RETRY
        async for line in reply.lines():
            if not logged_in(context):
                return
            found = json.loads(line)
            action = found["Action"]
            if not action.startswith("exec_") and action not in LOOKS:
                yield event({"type": found["Type"], "action": action.partition(":")[0]})

    return await streamed(context.api.open("GET", "events"), follow)


async def stats(context: Context, name: str) -> Answer:
    """Figures of a container, once a second: processors, memory, network, disk."""

    async def follow(reply: Reply) -> AsyncIterator[bytes]:
        yield RETRY
        async for line in reply.lines():
            if not logged_in(context):
                return
            yield event(figures(json.loads(line)))

    return await streamed(context.api.open("GET", "containers", name, "stats", query={"stream": "1"}), follow)


def figures(found: dict[str, Any]) -> dict[str, float]:
    """Docker's stats as what is drawn: processors in per cent of one, bytes, bytes since the start."""
    now, before = found["cpu_stats"], found["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before.get("cpu_usage", {}).get("total_usage", 0)
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    count = now.get("online_cpus") or 1
    networks = (found.get("networks") or {}).values()
    disk = (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    memory = found.get("memory_stats") or {}
    return {
        "cpu": 100.0 * count * used / passed if passed > 0 and used > 0 else 0.0,
        "memory": memory.get("usage", 0),
        "limit": memory.get("limit", 0),
        "received": sum(each["rx_bytes"] for each in networks),
        "sent": sum(each["tx_bytes"] for each in networks),
        "read": sum(each["value"] for each in disk if each["op"].lower() == "read"),
        "written": sum(each["value"] for each in disk if each["op"].lower() == "write"),
        "pids": (found.get("pids_stats") or {}).get("current", 0),
    }
