"""`--check` and `--call`: a Dockerfile is read and planned, and nothing is built, pulled or written.

What a base image defines is known where the image is in the store; of another nothing is assumed, so that no
variable of its is called undefined.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rootless.build import definition
from rootless.build.context import ignore
from rootless.build.definition import Definition
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.lexer import decode, lines_of
from rootless.build.dockerfile.parse import parse
from rootless.build.failure import BuildFailed
from rootless.build.plan import calls, render_calls
from rootless.build.plan.controls import controls
from rootless.build.plan.graph import make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ContextSource, ImageSource
from rootless.build.plan.whole import plan_build
from rootless.build.planning import plan_request
from rootless.build.progress.vertices import Progress
from rootless.build.request import BuildRequest
from rootless.build.ssh import sources as agents
from rootless.engine.images import lookup
from rootless.errors import InvalidInput, NotFound
from rootless.session import session
from rootless.storage.store import Store

_LARGEST = 1 << 20
METHODS = ("check", "outline", "targets")


def parse_method(words: str) -> tuple[str, bool, bool]:
    """`check,format=json,ignorestatus`: the method, whether its answer is JSON, whether the exit status is always 0."""
    method, *options = words.split(",")
    method = {"lint": "check"}.get(method, method)
    if method not in METHODS:
        raise InvalidInput(f"--call: unknown method '{method}'", hint=f"one of build, {', '.join(METHODS)}")
    as_json = ignore_status = False
    for option in options:
        if option in ("format=json", "format=text"):
            as_json = option == "format=json"
        elif option in ("ignorestatus", "ignorestatus=true"):
            ignore_status = True
        else:
            raise InvalidInput(
                f"--call: unknown option '{option}'", hint="format=text, format=json, ignorestatus"
            )
    return method, as_json, ignore_status


def answer(store: Store, request: BuildRequest, words: str, progress: Progress) -> tuple[str, int]:
    """The text, and the exit status: 1 where a check finds anything. BuildFailed for a Dockerfile that is not one."""
    method, as_json, ignore_status = parse_method(words)
    asked = plan_request(request)
    session.join()
    with ExitStack() as stack:
        request = request._replace(ssh=stack.enter_context(agents.sockets(store, request.agents)))
        found = definition.read(store, request, progress, stack)
        ignored = _ignored(found)
    document_of = _known_images(store)
    if method == "check":
        checked = calls.check(found.data, asked, document_of, file=found.name, ignored=ignored)
        status = 0 if ignore_status or not (checked.warnings or checked.error) else 1
        if as_json:
            return _json(render_calls.check_document(checked, found.name, found.data)), status
        text = render_calls.check_text(checked, found.name, _lines(found.data))
        return text, status
    try:
        return _described(found, asked, document_of, method, as_json), 0
    except DockerfileError as error:
        raise BuildFailed(error.message, hint=error.hint, account=error.excerpt()) from None


def _described(
    found: Definition,
    asked: PlanRequest,
    document_of: Callable[[ImageSource | ContextSource], dict[str, Any] | None],
    method: str,
    as_json: bool,
) -> str:
    said = controls(asked.build_args)
    dockerfile = parse(found.data, file=found.name, syntax=said.syntax, check=said.check)
    if method == "targets":
        listed = calls.targets(dockerfile)
        return (
            _json(render_calls.targets_document(listed, found.data))
            if as_json
            else render_calls.targets_text(listed)
        )
    graph = make_graph(dockerfile, asked)
    outline = calls.outline(graph, plan_build(graph, document_of))
    return (
        _json(render_calls.outline_document(outline, found.data))
        if as_json
        else render_calls.outline_text(outline)
    )


def _ignored(found: Definition) -> Callable[[str], bool] | None:
    """Whether a path is left out of the context. An ignore file with exceptions is not judged: too much depends on them."""
    for path in found.ignore_files:
        if not os.path.lexists(path):
            continue
        with open(definition.open_inside(path, found.directory), "rb") as file:
            lines = ignore.read_lines(file.read(_LARGEST))
        if any(line.startswith("!") for line in lines):
            return None
        return ignore.PathPatterns(lines).ignores
    return None


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _lines(data: bytes) -> tuple[str, ...]:
    try:
        return lines_of(decode(data))
    except DockerfileError:
        return ()


def _known_images(store: Store) -> Callable[[ImageSource | ContextSource], dict[str, Any] | None]:
    def document_of(source: ImageSource | ContextSource) -> dict[str, Any] | None:
        if isinstance(source, ContextSource):
            return None
        try:
            return lookup.ensure(
                store, source.reference, policy="never", platform=source.platform or None, quiet=True
            ).config
        except (NotFound, InvalidInput):
            return None

    return document_of
