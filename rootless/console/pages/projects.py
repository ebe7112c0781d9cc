"""Compose projects: as the engine knows them, or by files that somebody names; up, down, restart, and their files edited.

A label of a container is its image's word, or a stranger's: files are read and written only where the engine says that compose made a
container of them (`/rootless/projects`), or where the user has typed the path.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from typing import Any

from rootless.console import compose_files
from rootless.console.jobs import Job
from rootless.console.pages import render, several_logs
from rootless.console.pages.context import Context
from rootless.console.pages.live import logged_in
from rootless.console.pages.shapes import shape_of
from rootless.console.request import Answer, Problem, json_answer

NEW = """services:
  web:
    image: docker.io/library/nginx:alpine
    ports:
      - "127.0.0.1:8081:80"
"""
_MOST_FILES = 32
_LABEL = "com.docker.compose."
_LINE = re.compile(r":([0-9]{1,7}):", re.ASCII)
_ACTIONS = {
    "up": ("Up", ("up", "-d"), ""),
    "restart": ("Restart", ("restart",), ""),
    "stop": ("Stop", ("stop",), ""),
    "down": ("Down", ("down",), "Remove the containers and networks of {}? Its volumes stay."),
}


class _Project:
    """A project of the engine's (`name`), or of files that somebody has typed."""

    def __init__(self, name: str, files: list[str], directory: str, env_files: list[str]) -> None:
        self.name = name
        self.files = files
        self.directory = directory or (os.path.dirname(files[0]) if files else "")
        default = [f"{self.directory}/.env"]
        self.env_files = [] if env_files == default else env_files

    def words(self, edited: str = "") -> list[str]:
        """The options that mean it; the file `edited` is read from the standard input instead."""
        found = ["compose", *(["-p", self.name] if self.name else [])]
        if edited or (self.files and self.directory != os.path.dirname(self.files[0])):
            found += ["--project-directory", self.directory]
        for file in self.env_files:
            found += ["--env-file", file]
        for file in self.files:
            found += ["-f", "-" if file == edited else file]
        return found


async def _known(context: Context) -> dict[str, _Project]:
    return {
        each["Name"]: _Project(each["Name"], each["ConfigFiles"], each["Directory"], each["EnvironmentFiles"])
        for each in await context.api.get("rootless", "projects")
    }


async def _project(context: Context, wanted: dict[str, Any]) -> _Project:
    """The one of {"project": NAME}, or of {"file": PATH}; Problem 404 for what neither the engine nor the user has named."""
    name, file = wanted.get("project"), wanted.get("file")
    known = await _known(context)
    if isinstance(name, str) and name:
        if name not in known:
            raise Problem(404, f"there is no project {render.printable(name)}")
        return known[name]
    if not isinstance(file, str):
        raise Problem(400, "say which project")
    for project in known.values():
        if file in project.files:
            return project
    if context.session is None or file not in context.session.files:
        raise Problem(404, "that file is of no project that runs, and its path was not typed here: open it on the page of projects")
    return _Project("", [file], "", [])


async def listing(context: Context) -> Answer:
    """All projects, their services and their files; and the files that were opened and nothing runs of."""
    known = await _known(context)
    rows = {name: _row(project) for name, project in known.items()}
    members = {identifier: each["Name"] for each in await context.api.get("rootless", "projects") for identifier in each["Containers"]}
    for each in await context.api.get("containers", "json", all="1"):
        row = rows.get(members.get(each["Id"], ""))
        if row is None:
            continue
        row["running"] += each["State"] == "running"
        row["services"].append({
            "service": each["Labels"].get(f"{_LABEL}service", "?"), "container": each["Names"][0].lstrip("/"), "state": each["State"],
            "status": each["Status"], "shape": shape_of(each["State"], each["Status"]),
        })  # fmt: skip
    for row in rows.values():
        row["services"].sort(key=lambda service: (service["service"], service["container"]))
    in_use = {file for project in known.values() for file in project.files}
    typed = context.session.files if context.session else {}
    opened = [_row(_Project("", [file], "", [])) for file in typed if file not in in_use]
    values = {"rows": [*(rows[name] for name in sorted(rows)), *opened], "home": os.path.expanduser("~"), "most": several_logs.MOST}
    return Answer(render.page("projects.html", session=context.session, title="Projects", **values))


def _row(project: _Project) -> dict[str, Any]:
    shown = project.name or (project.files[0] if project.files else "")
    actions = [
        {
            "verb": verb, "label": label, "command": render.command(*project.words(), *words), "question": question.format(shown),
            "body": json.dumps({"action": verb, **({"project": project.name} if project.name else {"file": project.files[0]})}),
        }
        for verb, (label, words, question) in _ACTIONS.items()
    ]  # fmt: skip
    return {
        "name": shown, "files": project.files, "services": [], "running": 0, "known": bool(project.name),
        "actions": actions if project.files else [],
    }  # fmt: skip


async def act(context: Context) -> Answer:
    """{"action": "up", "project": NAME or "file": PATH}: done by our command line, its output as it comes, a document a line."""
    wanted = await context.request.document()
    action = _ACTIONS.get(str(wanted.get("action")))
    if action is None:
        raise Problem(404, "there is no such action")
    project = await _project(context, wanted)
    if not project.files:
        raise Problem(400, "nobody knows of which files this project was made")
    words = [*project.words(), *action[1]]
    job = await context.jobs.begin(words, directory=project.directory)
    if context.session:
        for file in project.files:  # after a `down` the engine knows of it no more
            _remember(context.session.files, file)
    return Answer(output(context, job, render.command(*words)), "application/x-ndjson", end=job.leave)


async def output(context: Context, job: Job, command: str) -> AsyncIterator[bytes]:
    """{"command"} first, {"line"} as they come, {"exit"} at the end, a document a line."""
    yield json.dumps({"command": command}).encode() + b"\n"
    async for line in job.lines():
        if not logged_in(context):
            return
        yield json.dumps({"line": render.printable(line.decode("utf-8", "replace").rstrip("\r"))}).encode() + b"\n"
    yield json.dumps({"exit": job.status}).encode() + b"\n"


async def open_file(context: Context) -> Answer:
    """{"file": PATH}: it may be looked at from now on, in this session. A file that is not there is a new one."""
    wanted = (await context.request.document()).get("file")
    path = compose_files.checked(wanted.strip() if isinstance(wanted, str) else "")
    compose_files.read(path)
    assert context.session is not None, "the route is not public"
    _remember(context.session.files, path)
    return json_answer({"file": path})


def _remember(files: dict[str, None], path: str) -> None:
    files.pop(path, None)
    files[path] = None
    while len(files) > _MOST_FILES:
        del files[next(iter(files))]


async def edit(context: Context) -> Answer:
    """The file ?file= of a project, to be changed."""
    path = context.request.query.get("file", "")
    project = await _project(context, {"file": path})
    found = compose_files.read(path)
    values = {
        "path": path, "text": found.text if found.digest else NEW, "digest": found.digest, "new": not found.digest,
        "check": f"{render.command(*project.words(), 'config', '-q')}", "project": project.name,
        "up": render.command(*project.words(), *_ACTIONS["up"][1]), "body": json.dumps({"action": "up", "file": path}),
    }  # fmt: skip
    return Answer(render.page("edit.html", session=context.session, title=os.path.basename(path), **values))


async def save(context: Context) -> Answer:
    """{"file", "text", "was": digest, "do": "check" or "save"}: written only where compose takes it. What it says otherwise is the
    answer, with the line where it says one."""
    wanted = await context.request.document()
    text, was, do = (wanted.get(key) for key in ("text", "was", "do"))
    if not isinstance(text, str) or not isinstance(was, str) or do not in ("check", "save"):
        raise Problem(400, "the form is not whole")
    if len(text.encode("utf-8", "replace")) > compose_files.LIMIT or not all(each.isprintable() or each in "\n\t" for each in text):
        raise Problem(400, "a compose file is text, of at most 512 KiB")
    project = await _project(context, wanted)
    path = wanted.get("file")
    if path not in project.files:
        raise Problem(404, "that file is not of this project")
    words = [*project.words(edited=path), "config", "-q"]
    status, said = await context.jobs.check(words, directory=project.directory, stdin=text.encode())
    said = render.printable(said.strip().replace("(stdin)", os.path.basename(path)))
    command = render.command(*project.words(), "config", "-q")
    if status:
        line = _LINE.search(said)
        return json_answer({"command": command, "problem": said or f"compose ended with {status}", "line": int(line[1]) if line else 0})
    if do == "save":
        compose_files.write(path, text, was)
    return json_answer({"command": command, "said": said, "digest": compose_files.read(path).digest})
