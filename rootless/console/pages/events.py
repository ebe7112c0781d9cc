"""What happened and happens: the engine's events, the last hour's and as they come."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from rootless.console.engine_api import Query, Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import RETRY, event, logged_in, streamed
from rootless.console.request import Answer, Problem

TYPES = ("container", "image", "volume", "network", "pod")
SHOWN = 300
"""Events of the page, to begin with; the page keeps as many."""
_READ = 20_000
_HOUR_S = 3600
_DETAILS = 300
_ID = re.compile(r"\b[0-9a-f]{64}\b", re.ASCII)
_HIDDEN = ("name", "com.docker.compose.", "org.opencontainers.")
_SHAPES = {"start": "●", "die": "■", "kill": "✕", "create": "○", "destroy": "✕", "remove": "✕", "delete": "✕", "pause": "‖", "oom": "▲"}


def _query(context: Context) -> tuple[str, Query]:
    wanted = context.request.query.get("type", "")
    if wanted and wanted not in TYPES:
        raise Problem(400, "there are no events of that kind")
    return wanted, {"filters": json.dumps({"type": [wanted]})} if wanted else {}


def _short(identifier: re.Match[str]) -> str:
    return identifier[0][:12]


def _row(found: dict[str, Any]) -> dict[str, str]:
    attributes = found["Actor"]["Attributes"] or {}
    action = found["Action"]
    details = ", ".join(f"{key}={_ID.sub(_short, str(value))}" for key, value in sorted(attributes.items()) if not key.startswith(_HIDDEN))
    nanoseconds = int(found["timeNano"])
    return {
        "id": f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09}", "time": time.strftime("%H:%M:%S", time.gmtime(nanoseconds / 1e9)),
        "type": found["Type"], "action": render.one_line(action), "shape": _SHAPES.get(action.partition(":")[0], "·"),
        "name": render.one_line(str(attributes.get("name") or found["Actor"]["ID"][:12])), "details": render.one_line(details[:_DETAILS]),
    }  # fmt: skip


async def show(context: Context) -> Answer:
    """The last hour's, the newest first; ?type= for those of one noun."""
    wanted, query = _query(context)
    now = time.time()
    rows: deque[dict[str, str]] = deque(maxlen=SHOWN)
    count = 0
    async with context.api.open("GET", "events", query={**query, "since": f"{now - _HOUR_S:.3f}", "until": f"{now:.3f}"}) as reply:
        async for line in reply.lines():
            rows.append(_row(json.loads(line)))
            count += 1
            if count == _READ:
                break
    words = ["events", "--since", "1h", *(["--filter", f"type={wanted}"] if wanted else [])]
    values = {
        "rows": list(reversed(rows)), "types": TYPES, "wanted": wanted, "since": rows[-1]["id"] if rows else f"{now:.9f}", "shown": SHOWN,
        "command": render.command(*words),
    }  # fmt: skip
    return Answer(render.page("events.html", session=context.session, title="Events", **values))


async def follow(context: Context) -> Answer:
    """What comes after ?since=SECONDS, as it comes."""
    _, query = _query(context)
    since = context.request.headers.get("last-event-id") or context.request.query.get("since", "")

    async def lines(reply: Reply) -> AsyncIterator[bytes]:
        yield RETRY
        async for line in reply.lines():
            if not logged_in(context):
                return
            row = _row(json.loads(line))
            if row["id"] != since:
                yield b"id: " + row["id"].encode() + b"\n" + event(row)

    return await streamed(context.api.open("GET", "events", query={**query, **({"since": since} if since else {})}), lines)
