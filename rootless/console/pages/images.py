"""Images: the list, one with its layers, pulling, removing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import streamed
from rootless.console.request import Answer, Problem, json_answer


async def listing(context: Context) -> Answer:
    """All images, the newest first."""
    found = await context.api.get("images", "json")
    rows = [
        {
            "id": each["Id"].removeprefix("sha256:"), "names": each["RepoTags"] or ["<none>"], "size": each["Size"],
            "created": each["Created"], "command": render.command("rmi", (each["RepoTags"] or [each["Id"][7:19]])[0]),
        }
        for each in found
    ]  # fmt: skip
    return Answer(render.page("images.html", session=context.session, title="Images", rows=rows))


async def one(context: Context, identifier: str) -> Answer:
    """An image: what it runs, and its layers with their sizes."""
    found = await context.api.get("images", identifier, "json")
    history = await context.api.get("images", identifier, "history")
    name = (found["RepoTags"] or [identifier[:12]])[0]
    config = found.get("Config") or {}
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    values = {"found": found, "history": history, "id": identifier, "words": words, "user": config.get("User"), "run": name}
    return Answer(render.page("image.html", session=context.session, title=name, **values))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a line of progress; the registry's words as text."""
    told: dict[str, Any] = {key: render.printable(str(found[key])) for key in ("id", "status", "error") if found.get(key)}
    detail = found.get("progressDetail") or {}
    return {**told, "progressDetail": {key: detail[key] for key in ("current", "total") if isinstance(detail.get(key), int)}}


async def remove(context: Context, identifier: str) -> Answer:
    """Remove an image, by all its names where it has several."""
    await context.request.document()
    await context.api.call("DELETE", "images", identifier)
    return json_answer({"command": render.command("rmi", identifier[:12])})


async def pull(context: Context) -> Answer:
    """Pull {"image": NAME}: the engine's progress, a document a line. It is over where the page is left."""
    name = (await context.request.document()).get("image")
    if not isinstance(name, str) or not name.strip():
        raise Problem(400, "say which image: a name, as in `rootless pull debian:bookworm`")

    async def progress(reply: Reply) -> AsyncIterator[bytes]:
        yield json.dumps({"command": render.command("pull", name.strip())}).encode() + b"\n"
        async for line in reply.lines():
            yield json.dumps(_told(json.loads(line))).encode() + b"\n"

    asked = context.api.open("POST", "images", "create", query={"fromImage": name.strip()})
    return await streamed(asked, progress, "application/x-ndjson")
