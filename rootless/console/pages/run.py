"""The form that makes a container: few fields, each of which `rootless run` has by the same name."""

from __future__ import annotations

import re
import shlex
from typing import Any

from rootless.console.pages import quantities, render
from rootless.console.pages.context import Context
from rootless.console.request import Answer, Problem, json_answer
from rootless.record import Record

_PORT = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?:([0-9]{0,5}):)?([0-9]{1,5})(?:/(tcp|udp))?", re.ASCII)
_TEXTS = ("image", "name", "command", "ports", "volumes", "environment", "network", "memory", "cpus", "restart")


class _Wanted(Record):
    """A container as the form has it: the API's body and the words of the command line that makes the same."""

    name: str
    body: dict[str, Any]
    words: list[str]


async def show(context: Context) -> Answer:
    """The form, with the images and networks that there are."""
    images = sorted({tag for each in await context.api.get("images", "json") for tag in each["RepoTags"] or []})
    networks = sorted(each["Name"] for each in await context.api.get("networks"))
    values = {"images": images, "networks": networks, "restarts": quantities.RESTARTS, "image": context.request.query.get("image", "")}
    return Answer(render.page("run.html", session=context.session, title="Run a container", **values))


async def make(context: Context) -> Answer:
    """{"do": "command"}: what would be typed. {"do": "create"} and {"do": "run"}: done; the answer says where it is to be seen."""
    form = await context.request.document()
    wanted = _wanted(form)
    do = form.get("do")
    command = render.command("create" if do == "create" else "run", *([] if do == "create" else ["-d"]), *wanted.words)
    if do == "command":
        return json_answer({"command": command})
    if do not in ("create", "run"):
        raise Problem(400, "the form says neither run nor create")
    made = await context.api.call("POST", "containers", "create", query={"name": wanted.name} if wanted.name else {}, body=wanted.body)
    if do == "run":
        try:
            await context.api.call("POST", "containers", made["Id"], "start")
        except Problem as problem:
            raise Problem(problem.status, f"it was made, and did not start: {problem.text}") from None
    return json_answer({"command": command, "location": f"/containers/{wanted.name or made['Id'][:12]}"})


def _wanted(form: dict[str, Any]) -> _Wanted:
    texts = {key: form.get(key, "") for key in _TEXTS}
    if not all(isinstance(text, str) for text in texts.values()):
        raise Problem(400, "a field of the form is no text")
    fields = {key: text.strip() for key, text in texts.items()}
    if not fields["image"]:
        raise Problem(400, "say which image")
    command = _split(fields["command"])
    ports = [_port(word) for word in fields["ports"].split()]
    volumes, environment = _lines(fields["volumes"]), _lines(fields["environment"])
    terminal = form.get("tty") is True
    host: dict[str, Any] = {
        "Binds": volumes, "PortBindings": _bindings(ports), "Memory": quantities.memory(fields["memory"]),
        "NanoCpus": quantities.nanocpus(fields["cpus"]),
    }  # fmt: skip
    if fields["network"]:
        host["NetworkMode"] = fields["network"]
    if fields["restart"]:
        if fields["restart"] not in quantities.RESTARTS:
            raise Problem(400, f"no restart policy: {fields['restart']}")
        host["RestartPolicy"] = {"Name": fields["restart"]}
    body = {
        "Image": fields["image"], "Env": environment, "Tty": terminal, "OpenStdin": terminal, "HostConfig": host,
        "ExposedPorts": {f"{port['container']}/{port['protocol']}": {} for port in ports}, **({"Cmd": command} if command else {}),
    }  # fmt: skip
    words = [
        *(["-it"] if terminal else []), *_options("--name", [fields["name"]]), *_options("-p", fields["ports"].split()),
        *_options("-v", volumes), *_options("-e", environment), *_options("--network", [fields["network"]]),
        *_options("--memory", [fields["memory"]]), *_options("--cpus", [fields["cpus"]]),
        *_options("--restart", [fields["restart"] if fields["restart"] != "no" else ""]), fields["image"], *command,
    ]  # fmt: skip
    return _Wanted(fields["name"], body, words)


def _options(flag: str, values: list[str]) -> list[str]:
    return [word for value in values if value for word in (flag, value)]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Problem(400, f"the command: {error}") from None


def _port(word: str) -> dict[str, str]:
    found = _PORT.fullmatch(word)
    if not found or not all(0 < int(port) < 1 << 16 for port in found.group(2, 3) if port):
        raise Problem(400, f"no port: {word}; write [IP:]HOST:CONTAINER, as 127.0.0.1:8080:80")
    address, host, container, protocol = found.groups()
    return {"address": (address or "").strip("[]"), "host": host or "", "container": container, "protocol": protocol or "tcp"}


def _bindings(ports: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        found.setdefault(f"{port['container']}/{port['protocol']}", []).append({"HostIp": port["address"], "HostPort": port["host"]})
    return found
