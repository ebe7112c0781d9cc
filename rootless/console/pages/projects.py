"""Compose projects: what their containers' labels tell of them."""

from __future__ import annotations

from typing import Any

from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.shapes import shape_of
from rootless.console.request import Answer

_LABEL = "com.docker.compose."
_FILES = f"{_LABEL}project.config_files"


async def listing(context: Context) -> Answer:
    """All projects with a container, by name; their services and where their files are."""
    # Which files a project is of, an image can say, too, by a label, which its containers inherit: of a project that is not its own.
    strangers = {each["Id"] for each in await context.api.get("images", "json") if _FILES in (each["Labels"] or {})}
    projects: dict[str, dict[str, Any]] = {}
    for each in await context.api.get("containers", "json", all="1"):
        labels = each["Labels"]
        name = labels.get(f"{_LABEL}project")
        if not name:
            continue
        project = projects.setdefault(name, {"name": name, "said": set(), "services": [], "running": 0})
        if each["ImageID"] not in strangers:
            project["said"].add(labels.get(_FILES, ""))
        project["running"] += each["State"] == "running"
        project["services"].append(
            {
                "service": labels.get(f"{_LABEL}service", "?"), "container": each["Names"][0].lstrip("/"), "state": each["State"],
                "status": each["Status"], "shape": shape_of(each["State"], each["Status"]),
            }
        )  # fmt: skip
    for project in projects.values():
        project["services"].sort(key=lambda service: (service["service"], service["container"]))
        said = project.pop("said") - {""}
        project["files"] = [file for file in next(iter(said)).split(",") if file] if len(said) == 1 else []
        options = [word for file in project["files"] for word in ("-f", file)]
        project["commands"] = [render.command("compose", *options, *words) for words in (("up", "-d"), ("down",))] if options else []
    rows = [projects[name] for name in sorted(projects)]
    return Answer(render.page("projects.html", session=context.session, title="Projects", rows=rows))
