"""POST /commit: a container becomes an image."""

from __future__ import annotations

import json

from rootless.api.request.fields import Fields
from rootless.api.routes.route import ACTS, Call, Reply, Route
from rootless.errors import InvalidInput
from rootless.storage.containers import containers


def commit(call: Call) -> Reply:
    """POST /commit."""
    from rootless.engine.lifecycle import commit as committing

    query = call.query
    identifier = containers.find(call.store, query.word("container"))
    name, tag = str(query.word("repo")), str(query.word("tag"))
    request = committing.CommitRequest(
        name=f"{name}:{tag}" if name and tag else name,
        author=query.word("author"),
        message=query.word("comment"),
        changes=[*_instructions(call.body), *(line for word in query.words("changes") for line in word.splitlines())],
        pause=query.flag("pause", default=True),
        docker_types=False,
    )
    return Reply({"Id": committing.commit(call.store, identifier, request).id}, 201)


def _instructions(config: Fields) -> list[str]:
    """The fields of a body's ContainerConfig that an image has, as the instructions that mean the same."""
    found = []
    for name in ("Cmd", "Entrypoint"):
        if words := config.command(name):
            found.append(f"{name.upper()} {json.dumps(words)}")
    for word in config.texts("Env"):
        key, _, value = word.partition("=")
        found.append(f"ENV {key}={_quoted(value)}")
    found += [f"LABEL {_quoted(key)}={_quoted(value)}" for key, value in config.pairs("Labels").items()]
    for field, instruction in (("WorkingDir", "WORKDIR"), ("User", "USER"), ("StopSignal", "STOPSIGNAL")):
        if word := config.text(field):
            found.append(f"{instruction} {word}")
    found += [f"EXPOSE {port}" for port in config.names("ExposedPorts")]
    if volumes := config.names("Volumes"):
        found.append(f"VOLUME {json.dumps(volumes)}")
    for line in found:
        if not line.isprintable():
            raise InvalidInput(f"invalid configuration: {line[:100]!r} has control characters")
    return found


def _quoted(text: str) -> str:
    """A word of an instruction that stands for itself. Variables are none here: a change knows no ARG."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


ROUTES: tuple[Route, ...] = (Route("POST", "/commit", commit, ACTS),)
