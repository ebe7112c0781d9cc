"""Volumes: the list, with who uses each; removing."""

from __future__ import annotations

from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, json_answer


async def listing(context: Context) -> Answer:
    """All volumes."""
    found = (await context.api.get("volumes"))["Volumes"] or []
    users: dict[str, list[str]] = {}
    for each in await context.api.get("containers", "json", all="1"):
        for mount in each["Mounts"]:
            if mount["Type"] == "volume":
                users.setdefault(mount["Name"], []).append(each["Names"][0].lstrip("/"))
    rows = [
        {"name": each["Name"], "driver": each["Driver"], "users": users.get(each["Name"], []),
         "command": render.command("volume", "rm", each["Name"])}
        for each in sorted(found, key=lambda volume: str(volume["Name"]))
    ]  # fmt: skip
    return Answer(render.page("volumes.html", session=context.session, title="Volumes", rows=rows))


async def remove(context: Context, name: str) -> Answer:
    """Remove a volume and all that is in it. The engine refuses while a container has it."""
    await context.request.document()
    await context.api.call("DELETE", "volumes", name)
    return json_answer({"command": render.command("volume", "rm", name)})
