"""The engine and the machine, disk use, and pruning."""

from __future__ import annotations

from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, Problem, json_answer

PRUNE = {
    "containers": ("container", "prune", "--force"),
    "images": ("image", "prune", "--force"),
    "networks": ("network", "prune", "--force"),
    "volumes": ("volume", "prune", "--force"),
}


async def show(context: Context) -> Answer:
    """What runs here, what it warns of, and what takes the disk's room."""
    info = await context.api.get("info")
    disk = await context.api.get("system", "df")
    containers, images, volumes = disk["Containers"] or [], disk["Images"] or [], disk["Volumes"] or []
    rows = [
        ("images", len(images), disk["LayersSize"]),
        ("containers", len(containers), sum(each.get("SizeRw") or 0 for each in containers)),
        ("volumes", len(volumes), sum(max(0, (each.get("UsageData") or {}).get("Size", 0)) for each in volumes)),
    ]
    prune = [{"noun": noun, "command": render.command(*words)} for noun, words in PRUNE.items()]
    return Answer(
        render.page(
            "system.html", session=context.session, title="System", info=info, rows=rows, prune=prune,
            doctor=render.command("doctor"), warnings=info.get("Warnings") or [],
        )
    )  # fmt: skip


async def doctor(context: Context) -> Answer:
    """What `rootless doctor` finds, with who can mend it: problems first. Takes some seconds."""
    found = await context.api.get("rootless", "doctor")
    order = ["error", "warning", "not available", "ok"]
    rows = sorted(found["findings"], key=lambda each: order.index(each["status"]))
    values = {"rows": rows, "can_run": found["can_run"], "command": render.command("doctor", "-v")}
    return Answer(render.page("doctor.html", session=context.session, title="This machine", **values))


async def prune(context: Context, noun: str) -> Answer:
    """Remove what nothing uses, of one noun."""
    words = PRUNE.get(noun)
    if words is None:
        raise Problem(404, "there is nothing of that name to prune")
    await context.request.document()
    found = await context.api.call("POST", noun, "prune")
    return json_answer({"command": render.command(*words), "freed": render.size(found.get("SpaceReclaimed") or 0)})
