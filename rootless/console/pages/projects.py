"""Compose projects: what their containers' labels tell of them."""

from __future__ import annotations

from typing import Any

from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.shapes import shape_of
from rootless.console.request import Answer

_LABEL = "com.docker.compose."


async def listing(context: Context) -> Answer:
    """All projects with a container, by name; their services and where their files are."""
    projects: dict[str, dict[str, Any]] = {}
    for each in await context.api.get("containers", "json", all="1"):
        labels = each["Labels"]
        name = labels.get(f"{_LABEL}project")
        if not name:
            continue
        files = [file for file in labels.get(f"{_LABEL}project.config_files", "").split(",") if file]
        project = projects.setdefault(name, {"name": name, "files": files, "services": [], "running": 0})
        project["running"] += each["State"] == "running"
        project["services"].append(
            {
                "service": labels.get(f"{_LABEL}service", "?"), "container": each["Names"][0].lstrip("/"), "state": each["State"],
                "status": each["Status"], "shape": shape_of(each["State"], each["Status"]),
            }
        )  # fmt: skip
    for project in projects.values():
        project["services"].sort(key=lambda service: (service["service"], service["container"]))
        options = [word for file in project["files"] for word in ("-f", file)]
        project["commands"] = [render.command("compose", *options, *words) for words in (("up", "-d"), ("down",))]
    rows = [projects[name] for name in sorted(projects)]
    return Answer(render.page("projects.html", session=context.session, title="Projects", rows=rows))
