"""Services that another program provides (`provider:`), by docker compose's protocol (its docs/extension.md).

    TYPE compose --project-name=NAME up --OPTION=VALUE ... SERVICE

is run, TYPE being a plugin of Docker's command line or a program on PATH. What it says on stdout are lines of JSON: info and
error for people, setenv and rawsetenv for the environment of the services that depend on it, get-service-config, which is
answered on its stdin.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import IO, Any

from rootless.compose.load.project import Project
from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError

Tell = Callable[[str, str], None]
"""Service, and what is said of it."""
_PLUGINS = ("/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins",
            "/usr/libexec/docker/cli-plugins")  # fmt: skip
_LONGEST_LINE = 1 << 20
_AT_WORK = "ROOTLESS_COMPOSE_PROVIDING"
"""In the environment of a program: the project and the service that it is called for, and those that its callers were."""


def up(project: Project, tell: Tell) -> Project:
    """Have all of the project's providers up, in the order of their dependencies; the project with the variables that come of it.
    NotFound, RootlessError."""
    services = {name: dict(config) for name, config in project.services.items()}
    for name in _in_order(project):
        found = _run(project, name, "up", tell)
        for config in services.values():
            if name in (config.get("depends_on") or {}):
                config["environment"] = {**(config.get("environment") or {}), **found}
    return project._replace(model={**project.model, "services": services})


def end(project: Project, verb: str, tell: Tell) -> None:
    """`down`, or `stop` of those that know it, in the reverse order."""
    for name in reversed(_in_order(project)):
        if verb != "stop" or "stop" in _metadata(_program(project, name)):
            _run(project, name, verb, tell)


def _in_order(project: Project) -> list[str]:
    found: list[str] = []

    def visit(name: str) -> None:
        if name in found or not project.services[name].get("provider"):
            return
        for other in project.services[name].get("depends_on") or {}:
            if other in project.services and not project.services[other].get("provider"):
                raise NotSupported(f"services.{name}.depends_on.{other} is not supported: what is provided is there before any container",
                                   hint="leave it out")  # fmt: skip
            if other in project.services:
                visit(other)
        found.append(name)

    for name in project.services:
        visit(name)
    return found


def _program(project: Project, name: str) -> str:
    """The path of the program. NotFound, InvalidInput."""
    kind = str(project.services[name]["provider"]["type"])
    if not kind or "/" in kind or kind == "compose":
        raise InvalidInput(f"services.{name}.provider.type: {kind} is no name of a program")
    plugins = (f"{directory}/docker-{kind}" for directory in (os.path.expanduser("~/.docker/cli-plugins"), *_PLUGINS))
    path = next((path for path in plugins if os.access(path, os.X_OK)), None) or shutil.which(kind)
    if path is None:
        raise NotFound(f"services.{name}.provider: there is no program {kind}", hint="it is looked for on PATH, and among Docker's plugins")
    return path


def _metadata(program: str) -> dict[str, Any]:
    """What the program says of its words; {} where it says nothing."""
    try:
        done = subprocess.run([program, "compose", "metadata"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise RootlessError(f"{program} compose metadata does not end", hint="see what it does in a terminal") from None
    try:
        found = json.loads(done.stdout) if done.returncode == 0 else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _arguments(project: Project, name: str, verb: str, program: str) -> list[str]:
    options = project.services[name]["provider"].get("options") or {}
    described = _metadata(program).get(verb)
    known: set[str] | None = None
    if isinstance(described, dict) and isinstance(described.get("parameters"), list):
        known = {str(one.get("name")) for one in described["parameters"] if isinstance(one, dict)}
    words = [
        f"--{key}={_word(value)}" for key, values in options.items() if known is None or key in known
        for value in (values if isinstance(values, list) else [values])
    ]  # fmt: skip
    return [program, "compose", f"--project-name={project.name}", verb, *words, name]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _run(project: Project, name: str, verb: str, tell: Tell) -> dict[str, str]:
    """Run it; the variables that it sets."""
    environment: dict[str, str] = {}
    errors: list[str] = []
    us, callers = f"{project.name}/{name}", os.environ.get(_AT_WORK, "").split()
    if us in callers:
        raise InvalidInput(f"services.{name}.provider: what it runs asks for the same service again, and would for ever")
    words = _arguments(project, name, verb, _program(project, name))
    environment_of_it = {**project.environment, _AT_WORK: " ".join((*callers, us))}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment_of_it) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for kind, message in _messages(process.stdout, name):
                if kind == "info":
                    tell(name, message)
                elif kind == "error":
                    errors.append(message)
                elif kind in ("setenv", "rawsetenv"):
                    key, equals, value = message.partition("=")
                    if not equals or not key:
                        raise RootlessError(f"services.{name}.provider: {kind} of {message!r}, which is no NAME=VALUE")
                    prefix = name.upper().replace("-", "_").replace(".", "_") + "_" if kind == "setenv" else ""
                    environment[prefix + key] = value
                elif kind == "get-service-config":
                    process.stdin.write(json.dumps(project.services[name]).encode() + b"\n")
                    process.stdin.flush()
                elif kind != "debug":
                    raise RootlessError(f"services.{name}.provider: it says {kind!r}, which is nothing that it may say")
        except BaseException:
            process.kill()
            raise
    if errors or process.returncode:
        raise RootlessError(f"services.{name}.provider: {'; '.join(errors) or f'{words[0]} failed with exit status {process.returncode}'}")
    return environment


def _messages(stream: IO[bytes], name: str) -> Iterator[tuple[str, str]]:
    while line := stream.readline(_LONGEST_LINE):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            kind, message = str(found["type"]), str(found.get("message", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise RootlessError(f"services.{name}.provider: what it says is no line of JSON: {line[:80]!r}") from None
        yield kind, message
