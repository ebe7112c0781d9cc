"""Answers against the schema of Docker's API.

docker_api_v1.44.json has, of moby's swagger.yaml, the bodies of successful answers and the definitions they refer to: types, names
and what is required; whatever is not required may be null, as Go's encoder writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.harness.api import Make, Service, start

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "docker_api_v1.44.json").read_text("utf-8"))
Check = Callable[[str, Any], None]


@pytest.fixture
def check() -> Check:
    """Holds a value against the schema of the answer of `METHOD PATH`."""

    def hold(name: str, value: Any) -> None:
        schema = {**SCHEMA["paths"][name], "definitions": SCHEMA["definitions"]}
        found = [
            f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in jsonschema.Draft7Validator(schema).iter_errors(value)
        ]
        assert not found, "\n".join(found)

    return hold


def test_the_system(service: Service, check: Check) -> None:
    for path in ("/info", "/version"):
        check(f"GET {path}", service("GET", path).json)
    service("POST", "/volumes/create", {"Name": "schema"}, status=201)
    check("GET /system/df", service("GET", "/system/df").json)


def test_containers(service: Service, make: Make, check: Check) -> None:
    config = {
        "Labels": {"a": "b"}, "ExposedPorts": {"81/tcp": {}}, "Healthcheck": {"Test": ["CMD", "true"]},
        "HostConfig": {
            "Binds": ["/tmp:/host:ro", "schema-vol:/vol"], "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            "Tmpfs": {"/run": ""}, "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        },
    }  # fmt: skip
    made = service("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]}, status=201)
    check("POST /containers/create", made.json)
    identifier = make(**config)
    for _ in range(2):
        check("GET /containers/json", service("GET", "/containers/json?all=1&size=1").json)
        check("GET /containers/{id}/json", service("GET", f"/containers/{identifier}/json?size=1").json)
        service("POST", f"/containers/{identifier}/start", status=None)
    check("GET /containers/{id}/top", service("GET", f"/containers/{identifier}/top").json)
    check("GET /containers/{id}/changes", service("GET", f"/containers/{identifier}/changes").json)
    check("POST /containers/{id}/update", service("POST", f"/containers/{identifier}/update", {}).json)
    executed = service("POST", f"/containers/{identifier}/exec", {"Cmd": ["true"], "AttachStdout": True}, status=201).json
    check("POST /containers/{id}/exec", executed)
    check("GET /exec/{id}/json", service("GET", f"/exec/{executed['Id']}/json").json)
    check("POST /containers/prune", service("POST", "/containers/prune").json)
    service("POST", f"/containers/{identifier}/kill", status=204)
    check("POST /containers/{id}/wait", service("POST", f"/containers/{identifier}/wait").json)


@pytest.mark.own_store
def test_images(service: Service, make: Make, check: Check) -> None:
    check("GET /images/json", service("GET", "/images/json").json)
    check("GET /images/{name}/json", service("GET", "/images/busybox/json").json)
    check("GET /images/{name}/history", service("GET", "/images/busybox/history").json)
    check("POST /images/prune", service("POST", "/images/prune").json)
    check("DELETE /images/{name}", service("DELETE", "/images/busybox").json)


def test_volumes_and_networks(service: Service, make: Make, check: Check) -> None:
    check("POST /volumes/create", service("POST", "/volumes/create", {"Name": "schema"}, status=201).json)
    check("GET /volumes", service("GET", "/volumes").json)
    check("GET /volumes/{name}", service("GET", "/volumes/schema").json)
    check("POST /volumes/prune", service("POST", "/volumes/prune").json)
    check("POST /networks/create", service("POST", "/networks/create", {"Name": "schema"}, status=201).json)
    start(service, make(HostConfig={"NetworkMode": "schema"}))
    check("GET /networks", service("GET", "/networks").json)
    check("GET /networks/{id}", service("GET", "/networks/schema").json)
    service("POST", "/containers/prune")
    check("POST /networks/prune", service("POST", "/networks/prune").json)


WRONG: tuple[Any, ...] = (7, "text", True, ["x", 3], [{"a": [1]}], {"a": {"b": 1}}, {"": None}, [[]], -(2**70), 1.5, "\u0000", "a\nb")


def fields(name: str) -> list[str]:
    """The fields of a definition, those of what it is made of included."""
    definition = SCHEMA["definitions"][name]
    found = list(definition.get("properties", ()))
    for part in definition.get("allOf", ()):
        found += list(part.get("properties", ()))
        if "$ref" in part:
            found += fields(part["$ref"].rsplit("/", 1)[1])
    return found


@pytest.mark.parametrize("place", ["ContainerConfig", "HostConfig"])
def test_every_field_broken_is_refused_and_nothing_is_an_internal_error(service: Service, busybox_image: str, place: str) -> None:
    """Each field with values of other types: what is not ignored as Docker ignores it is 400 or 501, and whatever is made
    can be looked at and removed."""
    names = fields(place)
    assert len(names) > 20
    for name in names:
        for value in WRONG:
            broken = {name: value} if place == "ContainerConfig" else {"HostConfig": {name: value}}
            answer = service("POST", "/containers/create", {"Cmd": ["true"], "Image": busybox_image, **broken}, status=None)
            assert answer.status in (201, 400, 404, 409, 501), (broken, answer.status, answer.body)
            if answer.status == 201:
                identifier = answer.json["Id"]
                service("GET", f"/containers/{identifier}/json")
                service("DELETE", f"/containers/{identifier}?v=1", status=204)
            assert "internal error" not in answer.body.decode()
    assert service("GET", "/containers/json?all=1").json == []
    assert service("GET", "/volumes").json["Volumes"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/networks/create"), ("POST", "/networks/bridge/connect"), ("POST", "/volumes/create"), ("POST", "/auth"),
        ("POST", "/containers/nix/update"), ("POST", "/containers/nix/exec"), ("POST", "/exec/nix/start"),
    ],
)  # fmt: skip
def test_bodies_of_any_kind(service: Service, method: str, path: str) -> None:
    keys = ("Name", "IPAM", "Options", "Labels", "EndpointConfig", "Container", "DriverOpts", "username", "Cmd", "Memory", "Detach")
    for key in keys:
        for value in WRONG:
            answer = service(method, path, {key: value}, status=None)
            assert answer.status in (200, 201, 204, 400, 401, 403, 404, 409, 501, 503) or path == "/auth", (key, value, answer)
            assert "internal error" not in answer.body.decode()
