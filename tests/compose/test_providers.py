"""`provider`: services that another program provides, by docker compose's protocol; and the client's proxies."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.compose.projects import Compose

PROGRAM = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["SEEN"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
words = sys.argv[1:]
if words == ["compose", "metadata"]:
    about = {{"parameters": [{{"name": name}} for name in ("size", "zone", "on")]}}
    print(json.dumps({{"up": about, "down": {{"parameters": []}}, **({{"stop": about}} if os.environ.get("STOPS") else {{}})}}))
    sys.exit()
def say(kind, message=""):
    print(json.dumps({{"type": kind, "message": message}}), flush=True)
say("debug", "nobody sees this")
if words[2] == "up":
    say("get-service-config")
    assert json.loads(sys.stdin.readline())["provider"]["type"] == "cloud"
    say("info", "making\\x1b[2J")
    say("setenv", "URL=here:" + os.environ.get("WHERE", "1"))
    say("rawsetenv", "TOKEN=t=t")
if os.environ.get("FAILS") == words[2]:
    say("error", "no more credit")
"""
FILE = """
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s, environment: {TOKEN: mine}, depends_on: [my-db]}
  other: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  my-db: {provider: {type: cloud, options: {size: 5, zone: [a, b], on: true, unknown: x}}}
"""


@pytest.fixture
def seen(compose: Compose, tmp_path: Path) -> Path:
    """The program `cloud` is on PATH; this file gets the words it was called with."""
    program = tmp_path / "bin/cloud"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    compose.environment |= {"PATH": f"{program.parent}:{compose.rootless.environment['PATH']}", "SEEN": str(tmp_path / "seen")}
    return tmp_path / "seen"


def calls(seen: Path) -> list[list[str]]:
    found = [json.loads(line) for line in seen.read_text().splitlines()] if seen.exists() else []
    seen.unlink(missing_ok=True)
    return [words for words in found if words != ["compose", "metadata"]]


def test_a_service_that_another_program_provides(compose: Compose, seen: Path) -> None:
    told = compose.up(FILE).stderr
    assert " my-db  making\\x1b[2J\n" in told
    assert "nobody sees" not in told
    assert calls(seen) == [["compose", "--project-name=demo", "up", "--size=5", "--zone=a", "--zone=b", "--on=true", "my-db"]]
    assert set(compose.ids()) == {"demo-web-1", "demo-other-1"}
    assert {"MY_DB_URL=here:1", "TOKEN=t=t"} <= set(compose.inspect("demo-web-1")["Config"]["Env"])
    assert not [word for word in compose.inspect("demo-other-1")["Config"]["Env"] if "URL" in word]
    before = compose.ids()
    compose("up", "-d")
    assert compose.ids() == before
    # What is provided has moved: who depends on it is made anew.
    compose.environment["WHERE"] = "2"
    compose("up", "-d", "-t", "0")
    assert {name for name, identifier in compose.ids().items() if identifier != before[name]} == {"demo-web-1"}
    assert compose("run", "--rm", "-T", "web", "sh", "-c", "echo $MY_DB_URL").stdout == "here:2\n"
    assert calls(seen)
    compose("stop")
    assert calls(seen) == []
    compose.environment["STOPS"] = "1"
    compose("stop")
    assert calls(seen)[0][2] == "stop"
    compose("down", "-t", "0")
    assert calls(seen) == [["compose", "--project-name=demo", "down", "my-db"]]
    compose.environment["FAILS"] = "up"
    assert "services.my-db.provider: no more credit" in compose("up", "-d", status=1).stderr
    assert compose.rows() == {}
    compose("--dry-run", "up", "-d")


@pytest.mark.parametrize(("script", "words"), [
    ("echo nonsense", "no line of JSON: b'nonsense"), ("echo '[1]'", "no line of JSON"),
    ('echo \'{"type": "reboot"}\'', "it says 'reboot'"),
    ('echo \'{"type": "setenv", "message": "=x"}\'', "no NAME=VALUE"), ("exit 7", "failed with exit status 7"),
])  # fmt: skip
def test_a_program_that_does_not_keep_to_the_protocol(compose: Compose, seen: Path, script: str, words: str) -> None:
    program = Path(compose.environment["PATH"].partition(":")[0]) / "cloud"
    program.write_text(f"#!/bin/sh\n[ $2 = metadata ] || {{ {script}; }}\n")
    assert words in compose.up(FILE, status=1).stderr
    assert compose.rows() == {}


def test_a_provider_that_is_compose_again_comes_to_an_end(compose: Compose, seen: Path) -> None:
    """`type: rootless` would start itself until the machine is full."""
    program = Path(compose.environment["PATH"].partition(":")[0]) / "cloud"
    words = " ".join(shlex.quote(str(word)) for word in compose.rootless.argv)
    program.write_text(f'#!/bin/sh\n[ $2 = metadata ] || {{ echo again >>"$SEEN"; exec {words} compose up; }}\n')
    assert "failed with exit status" in compose.up(FILE, status=1, warns=True).stderr
    assert seen.read_text() == "again\n"


def test_what_provides_needs_no_container_and_is_no_path(compose: Compose, seen: Path) -> None:
    assert "there is no program no-such" in compose.up("services: {x: {provider: {type: no-such}}}", status=1).stderr
    for entry in ("provider: {type: ./cloud}", "provider: {type: compose}", "provider: {type: cloud}, depends_on: [web]"):
        compose.up(f"services: {{web: {{image: busybox}}, x: {{{entry}}}}}", status=1)
    assert calls(seen) == []


def test_the_clients_proxies_are_in_containers_and_builds(compose: Compose, tmp_path: Path) -> None:
    """As `run` has them, and docker compose: of ~/.docker/config.json, but for those that the service names."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "a,b"}}}))
    compose.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    compose.up("""
services:
  web:
    image: built
    build: {context: ., dockerfile_inline: "FROM busybox\\nRUN echo $$HTTP_PROXY > /proxy"}
    command: sleep 1000
    stop_grace_period: 0s
    environment: {no_proxy: mine}
""")
    assert compose.execute("web", "cat", "/proxy") == "http://p:1\n"
    found = set(compose.inspect("demo-web-1")["Config"]["Env"])
    assert {"HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "no_proxy=mine", "NO_PROXY=a,b"} <= found
    before = compose.ids()
    compose("up", "-d")
    assert compose.ids() == before
    compose.rootless("rmi", "-f", "built")
