"""The engine and the machine, disk use, and pruning."""

from __future__ import annotations

from typing import Any

from rootless import sizes
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, Problem, json_answer

PRUNE = {
    "containers": ("container", "prune", "--force"),
    "images": ("image", "prune", "--force"),
    "networks": ("network", "prune", "--force"),
    "volumes": ("volume", "prune", "--force"),
    "build": ("builder", "prune", "--force"),
    "all": ("system", "prune", "--force"),
}

_ALL = ("containers", "networks", "images", "build")
"""What `system prune` goes through; volumes stay."""
_WHAT = {"build": "the build cache", "all": "everything but volumes"}


async def show(context: Context) -> Answer:
    """What runs here, what it warns of, and what takes the disk's room."""
    info = await context.api.get("info")
    disk = await context.api.get("system", "df")
    containers, images, volumes = disk["Containers"] or [], disk["Images"] or [], disk["Volumes"] or []
    rows = [
        ("images", len(images), disk["LayersSize"]),
        ("containers", len(containers), sum(each.get("SizeRw") or 0 for each in containers)),
        ("volumes", len(volumes), sum(max(0, (each.get("UsageData") or {}).get("Size", 0)) for each in volumes)),
        ("build cache", len(disk.get("BuildCache") or []), sum(each["Size"] for each in disk.get("BuildCache") or [])),
    ]
    prune = [{"noun": noun, "what": _WHAT.get(noun, noun), "command": render.command(*words)} for noun, words in PRUNE.items()]
    return Answer(
        render.page(
            "system.html", session=context.session, title="System", info=info, rows=rows, prune=prune,
            doctor=render.command("doctor"), warnings=info.get("Warnings") or [],
        )
    )  # fmt: skip


async def disk(context: Context) -> Answer:
    """What takes how much room, thing by thing: `rootless system df -v`."""
    found = await context.api.get("system", "df")
    size = sizes.decimal
    images = [
        (each["Size"], ((each["RepoTags"] or ["<none>"])[0], size(each["Size"]), size(max(0, each["SharedSize"])), each["Containers"]),
         f"/images/{each['Id'].removeprefix('sha256:')}")
        for each in found["Images"] or []
    ]  # fmt: skip
    containers = [
        (each.get("SizeRw") or 0, (each["Names"][0].lstrip("/"), size(each.get("SizeRw") or 0), each["Image"], each["State"]),
         f"/containers/{each['Names'][0].lstrip('/')}")
        for each in found["Containers"] or []
    ]  # fmt: skip
    volumes = [
        (use.get("Size", 0), (each["Name"], size(max(0, use.get("Size", 0))), use.get("RefCount", 0)), f"/volumes/{each['Name']}/files")
        for each in found["Volumes"] or []
        for use in [each.get("UsageData") or {}]
    ]
    cache = [
        (each["Size"], (each["Description"] or each["ID"][:12], size(each["Size"]), each["Type"], each["LastUsedAt"][:10]), "")
        for each in found.get("BuildCache") or []
    ]
    tables = [
        _table("Images", ("Name", "Size", "Shared with others", "Containers"), images),
        _table("Containers", ("Name", "What it has written", "Image", "State"), containers),
        _table("Volumes", ("Name", "Size", "Used by"), volumes),
        _table("Build cache", ("What", "Size", "Kind", "Last used"), cache),
    ]
    values = {"tables": tables, "command": render.command("system", "df", "-v")}
    return Answer(render.page("disk.html", session=context.session, title="Disk use", **values))


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[int, tuple[Any, ...], str]]) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: -row[0])
    return {"title": title, "columns": columns, "rows": [{"cells": cells, "link": link} for _, cells, link in ordered]}


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
    freed = 0
    for each in _ALL if noun == "all" else (noun,):
        found = await context.api.call("POST", each, "prune")
        freed += found.get("SpaceReclaimed") or 0
    return json_answer({"command": render.command(*words), "freed": sizes.decimal(freed)})
