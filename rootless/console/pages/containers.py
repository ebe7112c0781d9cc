"""Containers: the list, one of them with its walls and limits, and what a button does."""

from __future__ import annotations

import asyncio
from typing import Any

from rootless import sizes
from rootless.console.pages import quantities, render
from rootless.console.pages.context import Context
from rootless.console.pages.shapes import ports, shape_of
from rootless.console.request import Answer, Problem, json_answer, redirect
from rootless.record import Record


class _Action(Record):
    """A button: what the API is asked, and the command line that does the same. `states`: when it is offered.
    `question`: what is asked first, where there is no way back."""

    label: str
    method: str
    path: tuple[str, ...]
    words: tuple[str, ...]
    states: tuple[str, ...]
    query: dict[str, str] = {}
    question: str = ""


_RESTING = ("created", "exited", "dead")
ACTIONS = {
    "start": _Action("Start", "POST", ("start",), ("start",), _RESTING),
    "stop": _Action("Stop", "POST", ("stop",), ("stop",), ("running", "restarting")),
    "restart": _Action("Restart", "POST", ("restart",), ("restart",), ("running", "exited")),
    "pause": _Action("Pause", "POST", ("pause",), ("pause",), ("running",)),
    "unpause": _Action("Resume", "POST", ("unpause",), ("unpause",), ("paused",)),
    "kill": _Action("Kill", "POST", ("kill",), ("kill",), ("running", "paused"), question="Kill {} at once? It cannot clean up."),
    "remove": _Action(
        "Remove", "DELETE", (), ("rm", "--force"), ("running", "paused", "restarting", *_RESTING), {"force": "1"},
        "Remove {}? What it has written outside its volumes is lost.",
    ),
}  # fmt: skip


async def first(context: Context) -> Answer:
    """The page to begin with."""
    return redirect("/containers")


async def listing(context: Context) -> Answer:
    """All containers, those with processes first."""
    found = await context.api.get("containers", "json", all="1")
    rows = [_row(each) for each in found]
    rows.sort(key=lambda row: (row["state"] in _RESTING, row["name"]))
    return Answer(render.page("containers.html", session=context.session, title="Containers", rows=rows))


def _row(found: dict[str, Any]) -> dict[str, Any]:
    name = (found["Names"] or ["/" + found["Id"][:12]])[0].lstrip("/")
    return {
        "id": found["Id"], "name": name, "image": found["Image"], "state": found["State"], "status": found["Status"],
        "shape": shape_of(found["State"], found["Status"]), "ports": ports(found["Ports"]), "actions": _offered(name, found["State"]),
        "project": found["Labels"].get("com.docker.compose.project", ""),
    }  # fmt: skip


def _offered(name: str, state: str) -> list[dict[str, str]]:
    return [
        {
            "verb": verb, "label": action.label, "command": render.command(*action.words, name),
            "question": action.question.format(name),
        }
        for verb, action in ACTIONS.items()
        if state in action.states
    ]  # fmt: skip


async def one(context: Context, name: str) -> Answer:
    """What is to be known of one: state and why, limits and who holds them, walls, mounts, networks, environment."""
    found = await context.api.get("containers", name, "json")
    processes: Any = None
    if found["State"]["Running"]:
        try:
            processes = await context.api.get("containers", name, "top")
        except Problem as problem:
            processes = {"Titles": [], "Processes": [], "Problem": problem.text}
    state = found["State"]
    shown = found["Name"].lstrip("/")
    why = state["Error"]
    if state["OOMKilled"]:
        why = why or "it used more memory than it may (--memory)"
    health = state.get("Health") or {}
    values = {
        "found": found, "name": shown, "shape": shape_of(state["Status"], health.get("Status", "")), "why": why, "health": health,
        "processes": processes, "actions": _offered(shown, state["Status"]), "limits": _limits(found["HostConfig"]),
        "restarts": quantities.RESTARTS,
        "words": [*(found["Config"]["Entrypoint"] or []), *(found["Config"]["Cmd"] or [])],
    }  # fmt: skip
    return Answer(render.page("container.html", session=context.session, title=shown, **values))


def _limits(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, figure, and what holds it, of the limits that are set."""
    held = config.get("Limits") or {}
    found: list[tuple[str, str, str]] = []
    if config["Memory"]:
        found.append(("memory", sizes.decimal(config["Memory"]), held.get("memory", "")))
    if config["NanoCpus"]:
        found.append(("processors", f"{config['NanoCpus'] / 1e9:g}", held.get("cpus", "")))
    if config["PidsLimit"]:
        found.append(("processes", str(config["PidsLimit"]), held.get("pids-limit", "")))
    return found


async def act(context: Context, name: str, verb: str) -> Answer:
    """What a button does. The answer has the command line that does the same."""
    action = ACTIONS.get(verb)
    if action is None:
        raise Problem(404, "there is no such action")
    await context.request.document()
    work = context.api.call(action.method, "containers", name, *action.path, query=action.query)
    # It is finished even where the page is left meanwhile: a stop that takes its ten seconds is a stop.
    await asyncio.shield(asyncio.ensure_future(work))
    return json_answer({"command": render.command(*action.words, name)})


async def rename(context: Context, name: str) -> Answer:
    """{"name": ANOTHER}."""
    wanted = _text(await context.request.document(), "name")
    await context.api.call("POST", "containers", name, "rename", query={"name": wanted})
    return json_answer({"command": render.command("rename", name, wanted), "location": f"/containers/{wanted}"})


async def limit(context: Context, name: str) -> Answer:
    """{"memory": "512m", "cpus": "1.5", "pids": "100", "restart": "always"}: from now on; what is empty stays as it is."""
    form = await context.request.document()
    memory, cpus, pids, restart = (_text(form, key) for key in ("memory", "cpus", "pids", "restart"))
    if restart and restart not in quantities.RESTARTS:
        raise Problem(400, f"no restart policy: {restart}")
    if pids and not (pids.isascii() and pids.isdigit() and 0 < int(pids) < 1 << 22):
        raise Problem(400, f"no number of processes: {pids}")
    body: dict[str, Any] = {"PidsLimit": int(pids)} if pids else {}
    if memory:
        body["Memory"] = quantities.memory(memory)
    if cpus:
        body["NanoCpus"] = quantities.nanocpus(cpus)
    if restart:
        body["RestartPolicy"] = {"Name": restart}
    if not body:
        raise Problem(400, "say what is to change")
    await context.api.call("POST", "containers", name, "update", body=body)
    given = (("--memory", memory), ("--cpus", cpus), ("--pids-limit", pids), ("--restart", restart))
    return json_answer({"command": render.command("update", *(word for flag, value in given if value for word in (flag, value)), name)})


def _text(form: dict[str, Any], key: str) -> str:
    found = form.get(key, "")
    if not isinstance(found, str):
        raise Problem(400, "a field of the form is no text")
    return found.strip()
