"""Networks: the list, removing."""

from __future__ import annotations

from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, json_answer

_GIVEN = ("bridge", "host", "none")


async def listing(context: Context) -> Answer:
    """All networks: their subnets and who is on them."""
    on: dict[str, list[str]] = {}
    for each in await context.api.get("containers", "json", all="1"):
        for name in each["NetworkSettings"]["Networks"]:
            on.setdefault(name, []).append(each["Names"][0].lstrip("/"))
    rows = [
        {
            "name": each["Name"], "driver": each["Driver"], "internal": each["Internal"], "given": each["Name"] in _GIVEN,
            "subnets": [config["Subnet"] for config in (each["IPAM"]["Config"] or []) if config.get("Subnet")],
            "containers": on.get(each["Name"], []), "command": render.command("network", "rm", each["Name"]),
        }
        for each in await context.api.get("networks")
    ]  # fmt: skip
    return Answer(render.page("networks.html", session=context.session, title="Networks", rows=rows))


async def remove(context: Context, name: str) -> Answer:
    """Remove a network. The engine refuses while a container is on it."""
    await context.request.document()
    await context.api.call("DELETE", "networks", name)
    return json_answer({"command": render.command("network", "rm", name)})
