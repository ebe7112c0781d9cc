"""Several files as one: merge, !reset, !override, extends, include, profiles."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.compose.load.selection import NO_DEPENDENCIES, selected, with_named
from rootless.errors import InvalidInput
from tests.compose.load.loading import project, service, web


@pytest.mark.parametrize(
    ("key", "base", "over", "expected"),
    [
        ("command", "[a, b]", "c d", ["c", "d"]), ("entrypoint", "x", "[y]", ["y"]),
        ("environment", "{A: 1, B: 2}", "[B=3, C]", {"A": "1", "B": "3", "C": None}),
        ("labels", "[a=1]", "{b: 2}", {"a": "1", "b": "2"}),
        ("cap_add", "[A]", "[B, A]", ["A", "B"]), ("dns", "1.1.1.1", "[2.2.2.2]", ["1.1.1.1", "2.2.2.2"]),
        ("volumes", "['./a:/x', 'v:/y']", "['./b:/x:ro']",
         [{"type": "bind", "source": "/p/b", "target": "/x", "read_only": True, "bind": {"create_host_path": True}},
          {"type": "volume", "source": "v", "target": "/y", "volume": {}}]),
        ("ports", "['80:80']", "['80:80', '127.0.0.1:81:81']",
         [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"},
          {"mode": "ingress", "target": 81, "published": "81", "protocol": "tcp", "host_ip": "127.0.0.1"}]),
        ("logging", "{driver: local, options: {a: '1'}}", "{driver: none}", {"driver": "none"}),
        ("logging", "{driver: local, options: {a: '1'}}", "{options: {b: '2'}}", {"driver": "local", "options": {"a": "1", "b": "2"}}),
        ("healthcheck", "{test: [CMD, a], retries: 2}", "{test: b}", {"test": ["CMD-SHELL", "b"], "retries": 2}),
        ("extra_hosts", "['a:1.1.1.1']", "{b: 2.2.2.2}", ["a=1.1.1.1", "b=2.2.2.2"]),
        ("ulimits", "{nofile: 1}", "{nofile: {soft: 1, hard: 2}}", {"nofile": {"soft": 1, "hard": 2}}),
        ("tmpfs", "/a", "['/a:size=1m', /b]", ["/a:size=1m", "/b"]),
        ("volumes", "['v:/y']", "!override []", []),
        ("ports", "['80:80']", "!override ['81:81']", [{"mode": "ingress", "target": 81, "published": "81", "protocol": "tcp"}]),
        ("labels", "{a: 1, b: 2}", "{a: !reset null, c: 3}", {"b": "2", "c": "3"}),
        ("command", "a", "!reset null", "absent"),
    ],
)  # fmt: skip
def test_an_override_of_a_key(key: str, base: str, over: str, expected: Any) -> None:
    volumes = "volumes: {v: }\n"
    found = service(web(f"{key}: {base}") + volumes, f"services:\n  web:\n    {key}: {over}\n")
    assert found.get(key, "absent") == expected


def test_depends_on_as_a_list_and_as_a_mapping() -> None:
    more = "  db: {image: x}\n  c: {image: x}\n"
    found = service(web("depends_on: [db]") + more, "services:\n  web:\n    depends_on: {c: {condition: service_healthy}, "
                    "db: {condition: service_completed_successfully, required: false}}\n")  # fmt: skip
    assert found["depends_on"] == {
        "db": {"condition": "service_completed_successfully", "required": False},
        "c": {"condition": "service_healthy", "required": True},
    }


def test_a_list_on_a_mapping_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be"):
        project(web("ports: ['80']"), "services:\n  web:\n    ports: {a: b}\n")


def test_documents_of_one_file_override_each_other() -> None:
    assert service(web("tty: true") + "---\nservices: {web: {tty: false}}\n")["tty"] is False


def test_reset_of_a_whole_service_resource_and_through_an_anchor() -> None:
    found = project(web("networks: [n]") + "networks: {n: , m: }\n", "x-r: &r !reset null\nservices:\n  web:\n    networks: *r\n"
                    "networks:\n  m: !reset null\n")  # fmt: skip
    assert found.services["web"]["networks"] == {"default": None}
    assert set(found.resources("networks")) == {"n", "default"}


EXTENDED = {
    "/p/base/common.yaml": "services:\n  base:\n    build: ./ctx\n    environment: {A: base, B: base}\n    volumes: ['./data:/d']\n"
    "    depends_on: [db]\n    extends: {file: ../deep.yaml, service: deep}\n",
    "/p/deep.yaml": "services:\n  deep:\n    labels: {deep: '1'}\n    env_file: deep.env\n",
    "/p/deep.env": "D=deep\n",
}


def test_extends_another_file() -> None:
    found = service("services:\n  db: {image: x}\n  web:\n    extends: {file: base/common.yaml, service: base}\n"
                    "    environment: [B=own]\n", files=EXTENDED)  # fmt: skip
    assert found["build"] == {"context": "/p/base/ctx", "dockerfile": "Dockerfile"}
    assert found["environment"] == {"A": "base", "B": "own", "D": "deep"}
    assert found["volumes"][0]["source"] == "/p/base/data"
    assert found["labels"] == {"deep": "1"}
    assert list(found["depends_on"]) == ["db"]
    assert "extends" not in found


def test_extends_the_same_file_and_resets_what_it_says() -> None:
    found = service("services:\n  base: {image: x, ports: ['80:80'], tty: true}\n  web:\n    extends: base\n    ports: !reset []\n")
    assert "ports" not in found
    assert found["tty"] is True


@pytest.mark.parametrize(("text", "message"), [
    ("services: {a: {extends: b}, b: {extends: a}}", "Circular reference"),
    ("services: {a: {extends: a}}", "Circular reference"),
    ("services: {a: {extends: {file: compose.yaml, service: a}}}", "Circular reference"),
    ("services: {a: {extends: none}}", "service 'none' not found"),
    ("include: [compose.yaml]\nservices: {}", "include cycle detected"),
    ("include: [other.yaml]", "include cycle detected: /p/compose.yaml -> /p/other.yaml -> /p/compose.yaml"),
    ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", "dependency cycle detected: a -> b -> a"),
])  # fmt: skip
def test_cycles_are_found(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        project(text, files={"/p/other.yaml": "include: [compose.yaml]\n"})
    assert message in caught.value.message


INCLUDED = {
    "/p/sub/compose.yaml": "services:\n  db: {image: 'db:$TAG', volumes: ['./d:/d', 'v:/v'], env_file: db.env}\nvolumes: {v: }\n",
    "/p/sub/over.yaml": "services: {db: {tty: true}}\n",
    "/p/sub/.env": "TAG=sub\n",
    "/p/sub/db.env": "E=1\n",
}


def test_include_takes_paths_and_variables_from_its_own_directory() -> None:
    found = project("include: [sub/compose.yaml]\n" + web("depends_on: [db]"), files=INCLUDED)
    assert found.services["db"]["image"] == "db:sub"
    assert found.services["db"]["volumes"][0]["source"] == "/p/sub/d"
    assert found.services["db"]["environment"] == {"E": "1"}
    assert found.resources("volumes")["v"]["name"] == "p_v"


def test_include_with_overrides_a_directory_and_the_shells_variables() -> None:
    found = project("include:\n  - path: [sub/compose.yaml, sub/over.yaml]\n    project_directory: .\n" + web("tty: true"),
                    files=INCLUDED | {"/p/db.env": "E=2"}, environment={"TAG": "shell"})  # fmt: skip
    assert found.services["db"]["image"] == "db:shell"
    assert found.services["db"]["tty"] is True
    assert found.services["db"]["volumes"][0]["source"] == "/p/d"


def test_a_differing_resource_of_an_include_is_a_conflict() -> None:
    with pytest.raises(InvalidInput, match=r"/p/compose.yaml:1: services.db conflicts with imported resource"):
        project("include: [sub/compose.yaml]\nservices: {db: {image: other}}\n", files=INCLUDED)


PROFILES = "services:\n  a: {image: x}\n  b: {image: x, profiles: [dev], depends_on: [a]}\n  c: {image: x, profiles: [test]}\n"


def test_profiles_choose_services_and_a_name_activates_its_own() -> None:
    assert list(project(PROFILES).services) == ["a"]
    assert list(project(PROFILES, profiles=("dev",)).services) == ["a", "b"]
    assert list(project(PROFILES, profiles=("*",)).services) == ["a", "b", "c"]
    assert list(project(PROFILES, environment={"COMPOSE_PROFILES": "test,dev"}).services) == ["a", "b", "c"]
    named = with_named(project(PROFILES), ["c"])
    assert set(named.services) == {"a", "c"}
    with pytest.raises(InvalidInput, match="no such service: zz"):
        with_named(named, ["zz"])


def test_a_dependency_outside_the_profiles_is_an_error_unless_it_is_optional() -> None:
    text = "services:\n  a: {image: x, profiles: [p]}\n  b: {image: x, depends_on: {a: {condition: service_started%s}}}\n"
    with pytest.raises(InvalidInput, match="profile"):
        selected(project(text % ""), ["b"])
    assert list(selected(project(text % ", required: false"), ["b"]).services) == ["b"]


def test_selection_takes_dependencies_and_what_they_use() -> None:
    text = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, networks: [n]}\n  c: {image: x}\nnetworks: {n: }\n"
    found = selected(project(text), ["a"])
    assert list(found.services) == ["a", "b"]
    assert set(found.resources("networks")) == {"default", "n"}
    alone = selected(project(text), ["a"], NO_DEPENDENCIES)
    assert list(alone.services) == ["a"]
    assert alone.services["a"]["depends_on"] == {}
