"""The other commands: each with Docker Compose's words, formats and exit statuses."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from tests.compose.projects import Compose
from tests.harness.registry import Registry

SLEEP = "image: busybox, command: sleep 1000, stop_grace_period: 0s"
TWO = f"services:\n  web: {{{SLEEP}, depends_on: [db], ports: ['127.0.0.1::80']}}\n  db: {{{SLEEP}, volumes: ['v:/v']}}\nvolumes: {{v: }}\n"


def test_verbs(compose: Compose) -> None:
    compose.up(TWO)
    compose("pause")
    assert {row["State"] for row in compose.rows().values()} == {"paused"}
    compose("unpause", "web")
    assert compose.rows()["demo-web-1"]["State"] == "running"
    compose("unpause")
    compose("stop", "web")
    assert compose("ps", "--services").lines == ["db"]
    assert compose("ps", "--status", "exited", "-q").lines == [compose.inspect("demo-web-1")["Id"]]
    compose("start")
    started = compose.inspect("demo-web-1")["State"]["StartedAt"]
    compose("restart", "-t", "0", "web")
    assert compose.inspect("demo-web-1")["State"]["StartedAt"] > started
    compose("kill", "-s", "TERM", "db")
    compose("kill")
    assert compose("rm", stdin="y\n").stdout.startswith("Going to remove demo-db-1, demo-web-1")
    assert compose.rows() == {}
    assert compose("rm", "-f").stdout == "No stopped containers\n"
    assert "no container to start" in compose("start", status=1).stderr


def test_exec(compose: Compose) -> None:
    compose.up(TWO)
    assert compose("exec", "-T", "web", "echo", "-n", "hi").stdout == "hi"
    compose("exec", "web", "sh", "-c", "exit 3", status=3)
    compose("exec", "web", "no-such-command", status=127)
    assert compose("exec", "-e", "A=1", "-w", "/tmp", "web", "sh", "-c", "echo $A; pwd").lines == ["1", "/tmp"]
    assert compose("exec", "-T", "web", "cat", stdin="through\n").stdout == "through\n"
    compose("stop", "-t", "0")
    assert 'service "web" is not running' in compose("exec", "web", "true", status=1).stderr
    assert "no such service: none" in compose("exec", "none", "true", status=1).stderr


def test_run(compose: Compose) -> None:
    """#312: a one-off container waits for what it depends on; it has no ports, and the command's exit status."""
    compose.file(f"""
services:
  tool:
    image: busybox
    command: echo default
    environment: {{A: file}}
    ports: ["18097:80"]
    depends_on: {{db: {{condition: service_healthy}}}}
  db:
    image: busybox
    command: sh -c 'sleep 0.5; touch /tmp/ok; sleep 1000'
    stop_grace_period: 0s
    healthcheck: {{test: test -f /tmp/ok, interval: 200ms, retries: 100}}
  other: {{{SLEEP}}}
""")
    assert compose("run", "--rm", "tool").stdout == "default\n"
    rows = compose.rows()
    assert set(rows) == {"demo-db-1"}
    assert rows["demo-db-1"]["Health"] == "healthy"
    compose("run", "--rm", "tool", "sh", "-c", "exit 4", status=4)
    assert compose("run", "--rm", "-e", "A=given", "-T", "tool", "sh", "-c", "echo $A").stdout == "given\n"
    assert compose("run", "--rm", "-T", "tool", "cat", stdin="in").stdout == "in"
    assert compose("run", "--rm", "--entrypoint", "echo", "tool", "x").stdout == "x\n"
    identifier = compose("run", "-d", "--name", "mine", "tool", "sleep", "1000").stdout.strip()
    found = compose.inspect("mine")
    assert found["Id"] == identifier
    assert found["Config"]["Labels"]["com.docker.compose.oneoff"] == "True"
    assert found["HostConfig"]["PortBindings"] in ({}, None)
    assert "mine" not in compose("ps", "--format", "{{.Name}}").stdout
    compose("down", "-t", "0")
    assert compose.rootless("ps", "-aq").lines == []


def test_run_fails_where_a_dependency_does(compose: Compose) -> None:
    compose.file("services:\n  tool: {image: busybox, command: echo no, depends_on: {init: {condition: service_completed_successfully}}}\n"
                 "  init: {image: busybox, command: 'false'}\n")  # fmt: skip
    result = compose("run", "--rm", "tool", status=None)
    assert result.status != 0
    assert "no\n" not in result.stdout
    assert compose("run", "--rm", "--no-deps", "tool").stdout == "no\n"


def test_port(compose: Compose) -> None:
    """#778, #1039: also one that was chosen at the start."""
    compose.up(TWO)
    address, _, number = compose("port", "web", "80").stdout.strip().rpartition(":")
    assert address == "127.0.0.1"
    assert int(number) > 0
    assert compose.rows()["demo-web-1"]["Publishers"] == [
        {"URL": "127.0.0.1", "TargetPort": 80, "PublishedPort": int(number), "Protocol": "tcp"}
    ]
    assert "no port 81/tcp for container demo-web-1" in compose("port", "web", "81", status=1).stderr


def test_lists(compose: Compose) -> None:
    compose.up(TWO)
    assert json.loads(compose("ls", "--format", "json").stdout) == [
        {"Name": "demo", "Status": "running(2)", "ConfigFiles": str(compose.directory / "compose.yaml")}
    ]
    assert compose("ls", "-q").lines == ["demo"]
    images = json.loads(compose("images", "--format", "json").stdout)
    assert [(one["ContainerName"], one["Repository"], one["Tag"]) for one in images] == [
        ("demo-db-1", "busybox", "latest"), ("demo-web-1", "busybox", "latest"),
    ]  # fmt: skip
    assert compose("volumes", "-q").lines == ["demo_v"]
    assert compose("volumes", "-q", "web").lines == []
    top = compose("top").lines
    assert top[0].split()[:3] == ["SERVICE", "#", "UID"]
    assert [line.split()[0] for line in top[1:]] == ["db", "web"]
    assert len(compose("stats", "--no-stream").lines) == 3
    assert compose("ps", "--format", "table {{.Service}}").lines == ["SERVICE", "db", "web"]
    assert compose("version", "--short").stdout.startswith("2.")
    assert json.loads(compose("version", "-f", "json").stdout)["version"].startswith("v2.")
    compose("stop", "-t", "0")
    assert compose("ls").lines == ["NAME      STATUS    CONFIG FILES"]
    assert json.loads(compose("ls", "-a", "--format", "json").stdout)[0]["Status"] == "exited(2)"


def test_events(compose: Compose) -> None:
    compose.up(TWO)
    lines = [json.loads(line) for line in compose("events", "--json", "--since", "1m", "--until", "0s").lines]
    assert {(line["service"], line["action"]) for line in lines} >= {("db", "create"), ("web", "start")}
    assert set(lines[0]) == {"time", "type", "service", "id", "action", "attributes"}
    assert not any(key.startswith("com.docker.compose") for key in lines[0]["attributes"])


def test_wait(compose: Compose) -> None:
    compose.up("services:\n  a: {image: busybox, command: sh -c 'sleep 0.5; exit 5'}\n")
    assert 'container "demo-a-1" exited with status code 5' in compose("wait", "a", status=5).stdout


def test_files(compose: Compose) -> None:
    compose.up(TWO)
    compose.file("text", "in.txt")
    compose("cp", "in.txt", "web:/tmp/x")
    assert compose("exec", "-T", "web", "cat", "/tmp/x").stdout == "text"
    compose("cp", "web:/tmp/x", "out.txt")
    assert (compose.directory / "out.txt").read_text() == "text"
    with tarfile.open(fileobj=io.BytesIO(compose("export", "web").raw)) as archive:
        assert "tmp/x" in archive.getnames()
    assert "unknown copy direction" in compose("cp", "a", "b", status=1).stderr


@pytest.mark.own_store
def test_commit_and_builds(compose: Compose) -> None:
    """#864: dockerfile_inline; args, target, secrets, labels, additional contexts of another service."""
    compose.file("s3cret", "token")
    compose.file("""
services:
  base:
    build: {dockerfile_inline: "FROM busybox\\nRUN echo base > /base\\n"}
    command: "true"
  app:
    image: my-app:1
    build:
      context: .
      dockerfile_inline: |
        FROM base AS one
        ARG WHO
        RUN --mount=type=secret,id=token cat /run/secrets/token > /token; echo $$WHO > /who
        FROM one AS never
        RUN false
      target: one
      args: {WHO: me}
      secrets: [token]
      labels: {made: here}
      additional_contexts: {base: "service:base"}
      tags: [my-app:2]
    command: cat /base /who /token
secrets: {token: {file: ./token}}
""")
    compose("build", "app", timeout=180)
    assert compose("up", "--no-log-prefix", "app", timeout=120).lines[:3] == ["base", "me", "s3cret"]
    labels = json.loads(compose.rootless("image", "inspect", "my-app:2").stdout)[0]["Config"]["Labels"]
    assert labels["made"] == "here"
    assert labels["com.docker.compose.service"] == "app"
    assert compose("config", "--images").lines == ["demo-base", "my-app:1"]
    compose("commit", "app", "kept:1")
    assert "kept" in compose.rootless("images", "--format", "{{.Repository}}").lines
    compose("down", "--rmi", "local")
    assert "demo-base" not in compose.rootless("images", "--format", "{{.Repository}}").lines
    assert "my-app" in compose.rootless("images", "--format", "{{.Repository}}").lines


@pytest.mark.own_store
def test_pull_and_push(compose: Compose, registry: Registry) -> None:
    name = f"{registry.address}/compose-app:1"
    compose.file(f"services:\n  app: {{build: {{dockerfile_inline: 'FROM busybox'}}, image: '{name}', command: 'true'}}\n"
                 f"  user: {{image: '{name}', command: 'true', pull_policy: missing}}\n")  # fmt: skip
    compose("build", "--push", timeout=180)
    compose("push", "app")
    compose.rootless("rmi", name)
    compose("pull", "user")
    compose("up", "-d", "--no-build", "user")
    compose.file("services:\n  a: {image: '127.0.0.1:1/none'}\n  b: {image: busybox, pull_policy: never}\n")
    compose("pull", status=1)
    assert "Warning" in compose("pull", "--ignore-pull-failures").stderr
    compose("down")


@pytest.mark.parametrize("words", [
    ["up", "--menu"], ["up", "--watch"], ["up", "--watch", "-d"], ["publish", "x"], ["nonsense"],
])  # fmt: skip
def test_what_is_not_there_is_refused(compose: Compose, words: list[str]) -> None:
    compose.file(TWO)
    result = compose(*words, status=1)
    assert "rootless" in result.stderr


def test_where_files_are_found(compose: Compose) -> None:
    """COMPOSE_FILE from .env, upward search, overrides, -f -, --project-directory, -p."""
    compose.file("services: {a: {image: busybox}}\n", "one/compose.yml")
    compose.file("services: {a: {tty: true}, b: {image: busybox}}\n", "one/compose.override.yaml")
    (compose.directory / "one/deep").mkdir()
    assert compose("--project-directory", "one", "-f", "one/compose.yml", "config", "--services").lines == ["a"]
    inside = compose.rootless("compose", "config", "--services", cwd=compose.directory / "one/deep")
    assert inside.lines == ["a", "b"]
    assert "no configuration file provided: not found" in compose("config", status=1).stderr
    compose.file("COMPOSE_FILE=one/compose.yml\nCOMPOSE_PROJECT_NAME=named\n", ".env")
    assert compose("config").lines[0] == "name: named"
    assert compose("-f", "-", "config", "--services", stdin="services: {z: {image: x}}").lines == ["z"]
    assert compose("-p", "given", "config").lines[0] == "name: given"
    assert "invalid project name" in compose("-p", "A b", "config", status=1).stderr
    compose.file("services: {c: {image: 'x:$V'}}\n", "v.yaml")
    compose.file("V=from-file\n", "v.env")
    assert compose("-f", "v.yaml", "--env-file", "v.env", "config", "--images").lines == ["x:from-file"]
    assert compose("-f", "v.yaml", "--env-file", "v.env", "config", "--images", env={"V": "shell"}).lines == ["x:shell"]
    assert "couldn't find env file" in compose("-f", "v.yaml", "--env-file", "none.env", "config", status=1).stderr


def test_config_options(compose: Compose) -> None:
    compose.environment["T"] = "1"
    compose.file("services:\n  a: {image: 'busybox:$T', profiles: [p], env_file: e.env}\n"
                 "  b: {image: x, volumes: ['v:/v'], networks: [n]}\nvolumes: {v: , w: }\nnetworks: {n: }\n")  # fmt: skip
    compose.file("E=1\n", "e.env")
    assert compose("config", "--profiles").lines == ["p"]
    assert compose("config", "--services").lines == ["b"]
    assert compose("config", "--volumes").lines == ["v", "w"]
    assert sorted(compose("config", "--networks").lines) == ["default", "n"]
    assert "image: busybox:$T" in compose("--profile", "p", "config", "--no-interpolate").stdout
    assert compose("--profile", "p", "config", "a").stdout.count("E: \"1\"") == 1
    assert compose("config", "-q").stdout == ""
    compose("config", "-o", "out.yaml")
    assert (compose.directory / "out.yaml").read_text().startswith("name: demo\n")
    assert compose("config", "--variables").lines[1].split() == ["T", "false"]
    assert json.loads(compose("config", "--format", "json").stdout)["name"] == "demo"
    assert compose("config", "--hash", "b").stdout.split()[0] == "b"


@pytest.mark.own_store
def test_an_image_with_labels_of_compose_makes_no_container_a_projects(compose: Compose) -> None:
    """Neither one that compose built, nor a hostile one that has them all."""
    compose.up(TWO)
    labels = compose.inspect("demo-web-1")["Config"]["Labels"]
    lines = "".join(f'LABEL {key}="{value}"\n' for key, value in {**labels, "com.docker.compose.container-number": "x\\n"}.items())
    compose.file(f"FROM busybox\n{lines}", "Dockerfile")
    compose.rootless("build", "-q", "-t", "evil", str(compose.directory), timeout=120)
    compose.rootless("run", "-d", "--name", "mine", "evil", "sleep", "1000")
    try:
        assert set(compose.rows()) == {"demo-web-1", "demo-db-1"}
        compose("up", "-d", "-t", "0", "--remove-orphans")
        compose("down", "-t", "0")
        assert compose.rootless("ps", "--format", "{{.Names}}").lines == ["mine"]
    finally:
        compose.rootless("rm", "-f", "mine")


def test_config_prints_no_terminal_escapes(compose: Compose) -> None:
    """A stranger's file is looked at before it is run."""
    compose.file('services: {web: {image: "bu\\e[31msy", profiles: ["p\\e[2J"]}}\n')
    for words in (("--images",), ("--profiles",), (), ("--format", "json")):
        shown = compose("--profile", "*", "config", *words).stdout
        assert "\x1b" not in shown
        assert "31msy" in shown or words == ("--profiles",)
