"""What is refused: by the schema, each with its line; by the rules between keys; and names of projects."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from rootless.compose import disk
from rootless.compose.load.schema import Validator
from rootless.errors import InvalidInput
from tests.compose.load.loading import project, service, web


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services:\n  web:\n    imagee: x\n", "/p/compose.yaml:3: services.web additional properties 'imagee' not allowed"),
        ("servcies: {}\n", "additional properties 'servcies' not allowed"),
        (web("ports: 80"), "/p/compose.yaml:4: services.web.ports must be a list"),
        (web("ports: [{target: []}]"), "services.web.ports[0].target must be an integer or a string"),
        (web("volumes: [{source: a, target: /b}]"), "missing property 'type'"),
        (web("depends_on: {a: {condition: later}}"), "services.web.depends_on.a.condition value must be one of"),
        (web("restart: {}"), "services.web.restart must be a string"),
        (web("cap_add: [A, A]"), "services.web.cap_add items at 0 and 1 are equal"),
        ("services: {'a b': {image: x}}", "additional properties 'a b' not allowed"),
        ("services: {web: {}}", 'service "web" has neither an image nor a build context specified'),
        (web("build: {dockerfile_inline: FROM x, dockerfile: f}"), "dockerfile and dockerfile_inline"),
        (web("network_mode: none\nnetworks: [a]") + "networks: {a: }", "declares mutually exclusive `network_mode` and `networks`"),
        (web("networks: [none]"), 'service "web" refers to undefined network none'),
        (web("volumes: ['v:/v']"), 'service "web" refers to undefined volume v'),
        (web("secrets: [s]"), 'service "web" refers to undefined secret s'),
        (web("configs: [s]"), 'service "web" refers to undefined config s'),
        (web("models: [s]"), 'service "web" refers to undefined model s'),
        (web("depends_on: [none]"), 'service "web" depends on undefined service "none"'),
        (web("network_mode: service:none"), 'depends on undefined service "none"'),
        (web("scale: 2\ndeploy: {replicas: 3}"), "can't set distinct values on 'scale' and 'deploy.replicas'"),
        (web("cpus: 1\ndeploy: {resources: {limits: {cpus: '2'}}}"), "can't set distinct values on 'cpus'"),
        (web("mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}"), "can't set distinct values on 'mem_limit'"),
        (web("pids_limit: 1\ndeploy: {resources: {limits: {pids: 2}}}"), "can't set distinct values on 'pids_limit'"),
        (web("container_name: a1\nscale: 2"), "can't set container_name and scale"),
        (web("volumes: [/a]\ntmpfs: [/a]"), "target /a already mounted as services.web.volumes[0]"),
        (web("secrets: [s]") + "secrets: {s: {}}", 'secret "s" must declare either `file` or `environment`'),
        (web("tty: true") + "networks: {n: {external: true, driver: bridge}}", 'conflicting parameters "external" and "driver"'),
        (web("mem_limit: lots"), "invalid size: 'lots'"),
        (web("stop_grace_period: soon"), 'invalid duration "soon"'),
        (web("ports: ['80-90:80-81']"), "invalid ranges"),
        (web("ports: ['99999:80']"), "invalid port"),
        (web("command: \"a 'b\""), "invalid command line string"),
        (web("healthcheck: {test: [curl, x]}"), 'must start either by "CMD", "CMD-SHELL" or "NONE"'),
        ("", "empty compose file"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        project(text)
    assert message in caught.value.message


def test_a_misspelt_key_has_a_hint() -> None:
    with pytest.raises(InvalidInput) as caught:
        project(web("enviroment: {}"))
    assert caught.value.hint == "did you mean environment?"


def test_an_optional_dependency_may_be_missing() -> None:
    assert service(web("depends_on: {none: {condition: service_started, required: false}}"))["image"] == "busybox"


def test_x_keys_stand_anywhere() -> None:
    assert project("x-a: [1]\n" + web("x-b: {c: d}\nhealthcheck: {x-c: 1, test: t}")).services["web"]["x-b"] == {"c": "d"}


def test_version_is_obsolete() -> None:
    assert "`version` is obsolete" in project("version: '3'\n" + web("tty: true")).warnings[0]


VALUES: tuple[Any, ...] = (
    "x", 1, 1.5, True, None, [], ["a"], ["a", "a"], [1], [{}], {}, {"a": "b"}, {"a": None}, {"a": {}}, {"x-a": 1},
)  # fmt: skip
SAMPLES: list[dict[str, Any]] = [
    {"services": {"web": {"image": "x", key: value}}}
    for key in sorted(disk.schema()["definitions"]["service"]["properties"])
    for value in VALUES
]


def test_the_validator_agrees_with_another_implementation() -> None:
    """On every key of a service with values of every kind; jsonschema knows all of draft-07."""
    schema = disk.schema()
    theirs = jsonschema.Draft7Validator(schema)
    forms, missing = Validator(schema), Validator(schema, missing=True)
    for sample in SAMPLES:
        right = theirs.is_valid(sample)
        assert (forms.first(sample) is None and missing.first(sample) is None) == right, sample


@pytest.mark.parametrize(("text", "environment", "given", "expected"), [
    ("name: My App\nservices: {a: {image: x}}", {}, "", "myapp"), ("name: a-$X\nservices: {a: {image: x}}", {"X": "b"}, "", "a-b"),
    ("services: {a: {image: x}}", {}, "", "p"), ("name: a\nservices: {a: {image: x}}", {}, "given", "given"),
])  # fmt: skip
def test_names_of_projects(text: str, environment: dict[str, str], given: str, expected: str) -> None:
    assert project(text, environment=environment, name=given).name == expected


def test_a_name_that_is_given_must_be_one() -> None:
    with pytest.raises(InvalidInput, match='invalid project name "A b"'):
        project("services: {a: {image: x}}", name="A b")
