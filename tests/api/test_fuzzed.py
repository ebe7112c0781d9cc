"""Requests to every route, generated from the schema: words, queries and bodies that are nearly right, and some that are not.

Whatever comes: no 500, no traceback, no request without an answer, the service lives, and what succeeds answers as the schema says.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rootless.api.routes import absent, table
from rootless.api.routes.route import Route
from tests.api.test_schema import SCHEMA, WRONG
from tests.harness.api import PATIENCE_S, Service, start

LONG = ("/rootless/doctor",)
"""Takes seconds each time, and no words."""
ROUTES = [*(route for routes in table.NOUNS for route in routes if routes is not absent.ROUTES and route.pattern not in LONG),
          *absent.ROUTES[::5]]  # fmt: skip
EACH = 4
"""Requests of a route."""
NOWHERE = "127.0.0.1:1/x"
"""Where nobody listens: what asks a registry is told so at once, and asks no other."""
TEXTS = ("", "x", "busybox", "vol", "bridge", "none", "host", "a=b", "a:b", "0", "-1", "1.5", "true", "null", "[]", "{}", "label", "..",
         "/nowhere/../x", "80/tcp", "127.0.0.1", "10.0.0.0/24", "always", "on-failure", "NET_ADMIN", "SIGTERM", "running", "é\u0000\n",
         "\ud800", "%", "x" * 5000)  # fmt: skip
NAMES = ("box", "runs", "nix", "busybox", "bridge", "net", "vol", "sha256:x", "a" * 64, "..", "%2e%2e", "%00", "%ff", "x%0ay", "%",
         "%c3%a9", "x" * 300)  # fmt: skip
THERE = {"containers": ("box", "runs"), "images": ("busybox", "busybox:latest"), "networks": ("net", "bridge"), "volumes": ("vol",)}
QUERY = ("all", "limit", "size", "filters", "name", "platform", "force", "v", "link", "t", "signal", "h", "w", "path", "stdout", "stderr",
         "tail", "since", "until", "timestamps", "stream", "one-shot", "logs", "stdin", "detachKeys", "condition", "ps_args", "repo", "tag",
         "container", "comment", "changes", "pause", "dangling", "digests", "noprune", "names", "quiet", "dockerfile", "q", "nocache",
         "buildargs", "labels", "cachefrom", "networkmode", "target", "noOverwriteDirNonDir", "copyUIDGID", "type")  # fmt: skip
FILTERS = ("label", "name", "id", "status", "reference", "dangling", "before", "since", "until", "type", "event", "driver", "nonsense")
BODIES = {
    "POST /containers/create": "ContainerConfig", "POST /containers/{id}/update": "HostConfig", "POST /networks/create": "Network",
    "POST /volumes/create": "Volume", "POST /containers/{id}/exec": "ContainerConfig", "POST /commit": "ContainerConfig",
}  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "POST /networks/create": {"Name": "made"}, "POST /volumes/create": {"Name": "made"}, "POST /containers/{id}/exec": {"Cmd": ["true"]},
    "POST /networks/{id}/connect": {"Container": "box"}, "POST /networks/{id}/disconnect": {"Container": "box"},
}  # fmt: skip
REGISTRIES = ("/images/create", "/images/search", "/push", "/distribution/", "/auth", "/build")
"""Routes that may ask a registry: NOWHERE is the only one that they are told of."""
SLOW = {"/exec/{id}/resize"}
"""Waits ten seconds for the start of what is there: asked of what is not."""

texts = st.sampled_from(TEXTS)
numbers = st.sampled_from((0, 1, -1, 2, 80, 65536, 1 << 31, 1 << 40, 1 << 63, -(1 << 70)))


def values(schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema, now and then one of another type."""
    if depth > 4:
        return st.none()
    if "$ref" in schema:
        return values(SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]], depth + 1)
    if "allOf" in schema:
        parts = [values(part, depth + 1) for part in schema["allOf"]]
        return st.tuples(*parts).map(lambda found: {k: v for part in found if isinstance(part, dict) for k, v in part.items()})
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | st.sampled_from(WRONG)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = schema.get("properties")
        if fields:
            chosen = st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True)
            return chosen.flatmap(lambda names: st.fixed_dictionaries({name: values(fields[name], depth + 1) for name in names}))
        more = schema.get("additionalProperties")
        return st.dictionaries(texts, values(more if isinstance(more, dict) else {"type": "string"}, depth + 1), max_size=2)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "string": texts, "integer": numbers, "number": numbers, "boolean": st.booleans(), "null": st.none(),
    }  # fmt: skip
    found = st.lists(values(schema["items"], depth + 1), max_size=2) if kind == "array" else plain[kind]
    return st.one_of(found, found, found, found, st.sampled_from(WRONG))


@st.composite
def requests(draw: st.DrawFn, route: Route) -> tuple[Route, str, Any]:
    """The route, a target and a body: None, bytes, or a value for JSON."""
    if route.method == "*":
        route = route._replace(method=draw(st.sampled_from(("GET", "POST"))))
    asks = any(part in route.pattern for part in REGISTRIES)

    def word(found: re.Match[str]) -> str:
        if asks:
            return NOWHERE
        noun = route.pattern.removeprefix("/rootless").split("/")[1]
        known = THERE[noun] if noun in THERE and draw(st.integers(0, 3)) else NAMES
        return "nix" if route.pattern in SLOW else draw(st.sampled_from(known))

    path = re.sub(r"\{\w+\*?\}", word, route.pattern)
    query = [f"{name}={quote(draw(texts), errors='replace')}" for name in draw(st.lists(st.sampled_from(QUERY), max_size=4))]
    if draw(st.booleans()):
        given_filters: Any = st.dictionaries(
            st.sampled_from(FILTERS), st.lists(texts, max_size=2) | st.dictionaries(texts, st.booleans(), max_size=2), max_size=2
        )
        query.append("filters=" + quote(json.dumps(draw(given_filters))))
    if asks:
        query.append(f"fromImage={NOWHERE}&term={NOWHERE}&repo={NOWHERE}")
    if route.pattern == "/commit":
        query.append("container=box")
    if "/stop" in path or "/restart" in path:
        query.append("t=1")
    if route.pattern == "/events":
        query.append("until=1")
    name = f"{route.method} {route.pattern}"
    body: Any = None
    if route.method not in ("GET", "HEAD"):
        like = values({"$ref": f"#/definitions/{BODIES[name]}"}) if name in BODIES else st.dictionaries(texts, texts | numbers, max_size=3)
        body = draw(st.one_of(like, like, like, like, st.sampled_from(WRONG), st.sampled_from((None, b"", b"{", b"\x00" * 2000))))
    if name == "POST /containers/create" and isinstance(body, dict):
        # Made, not started: what they are given of the host stays as it is.
        host = draw(values(SCHEMA["definitions"]["HostConfig"]))
        body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": host, **body}
    if isinstance(body, dict):
        body = {**NEEDED.get(name, {}), **body} if draw(st.integers(0, 3)) else body
        if route.pattern == "/auth":
            body["serveraddress"] = NOWHERE
    return route, f"/v{draw(st.sampled_from(('1.24', '1.41', '1.44', '1.51')))}{path}{'?' if query else ''}{'&'.join(query)}", body


@pytest.fixture
def world(service: Service, busybox_image: str) -> Iterator[Service]:
    """A service with one container that runs, one that was made, a network and a volume."""
    for name in ("box", "runs"):
        body = {"Image": busybox_image, "Cmd": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]}
        service("POST", f"/containers/create?name={name}", {**body, "HostConfig": {"NetworkMode": "none"}}, status=201)
    start(service, "runs")
    service("POST", "/networks/create", {"Name": "net"}, status=201)
    service("POST", "/volumes/create", {"Name": "vol"}, status=201)
    yield service
    left = service.rootless("ps", "-aq").stdout.split()
    service.rootless("rm", "-f", *left) if left else None
    service.rootless("network", "prune", "-f")


def ask(service: Service, route: Route, target: str, body: Any) -> tuple[int, str, bytes]:
    """Status, type and body; of what goes on for as long as its client likes, the status alone."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(service.path))
    connection.sock.settimeout(PATIENCE_S)
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode("utf-8", "replace")
    kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
    try:
        connection.request(route.method, target, sent, {"Content-Type": kind} if sent is not None else {})
        answer = connection.getresponse()
        data = b"" if route.policy.waits and answer.status < 300 else answer.read()
        return answer.status, answer.headers.get("Content-Type", ""), data
    finally:
        connection.close()


def fits(name: str, value: Any) -> list[str]:
    schema = {**SCHEMA["paths"][name], "definitions": SCHEMA["definitions"]}
    return [error.message[:200] for error in jsonschema.Draft7Validator(schema).iter_errors(value)]


@pytest.mark.own_store
def test_every_route_answers_whatever_is_asked(world: Service) -> None:
    seen: dict[str, set[int]] = {}

    def asked(request: tuple[Route, str, Any]) -> None:
        route, target, body = request
        status, kind, data = ask(world, route, target, body)
        told = (route.method, target[:300], json.dumps(body, default=repr)[:1500], status, data[:1000])
        assert status != 500, told
        assert kind != "application/json" or b"internal error" not in data, told
        if status >= 400 and route.method != "HEAD":
            assert kind == "application/json", told
            assert json.loads(data)["message"], told
        name = re.sub(r"\{(\w+)\*?\}", r"{\1}", f"{route.method} {route.pattern}")
        if 200 <= status < 300 and name in SCHEMA["paths"] and data and kind == "application/json" and not route.policy.waits:
            assert not fits(name, json.loads(data)), told
        seen.setdefault(name, set()).add(status)

    for route in ROUTES:
        # The same ones in every run, and none made smaller: the first that fails says enough.
        settings(
            max_examples=EACH, derandomize=True, database=None, deadline=None, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )(given(requests(route))(asked))()  # fmt: skip
    assert world("GET", "/_ping").body == b"OK"
    assert isinstance(world("GET", "/containers/json?all=1").json, list)
    assert len(seen) >= len(ROUTES)
    assert {200, 201, 204, 400, 404, 501, 503} <= set().union(*seen.values())
