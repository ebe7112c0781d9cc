"""Files, labels and images that mean no good: whose volumes and containers go, what a terminal is told, what nothing comes of."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.compose.projects import Compose
from tests.compose.test_watch import begin, eventually

A_NEEDS_B = """
services:
  a: {image: busybox, command: sleep 1000, stop_grace_period: 0s, depends_on: [b]}
  b: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
"""
B_NEEDS_A = """
services:
  a: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  b: {image: busybox, command: sleep 1000, stop_grace_period: 0s, depends_on: [a]}
"""


def test_down_takes_away_what_depends_the_other_way_round_now(compose: Compose) -> None:
    """By its labels a needs b, by the file b needs a."""
    compose.up(A_NEEDS_B)
    compose.file(B_NEEDS_A)
    compose("down", "-t", "0")
    assert compose.rows() == {}


def test_down_takes_away_containers_that_depend_on_one_another(compose: Compose, tmp_path: Path) -> None:
    """By their labels alone: they were made on different days."""
    compose.up(A_NEEDS_B)
    compose.up(B_NEEDS_A, "--no-deps", "--force-recreate", "b")
    compose.rootless("compose", "-p", "demo", "stop", "-t", "0", cwd=tmp_path)
    assert {row["State"] for row in compose.rows().values()} == {"exited"}
    compose.rootless("compose", "-p", "demo", "down", "-t", "0", cwd=tmp_path)
    assert compose.rows() == {}


@pytest.mark.parametrize("labels", [
    (), ("com.docker.compose.project=victim",),
    ("com.docker.compose.project=victim", "com.docker.compose.volume=v", "com.docker.compose.config-hash=another"),
    ("com.docker.compose.volume=v", "com.docker.compose.config-hash=another"),
])  # fmt: skip
def test_a_volume_of_others_is_never_made_anew(compose: Compose, labels: tuple[str, ...]) -> None:
    """Not even with -y: its data is not this project's. It is said that it is somebody else's."""
    compose.rootless("volume", "create", *(f"--label={word}" for word in labels), "precious")
    compose.rootless("run", "--rm", "-v", "precious:/v", "busybox", "sh", "-c", "echo mine > /v/file")
    text = """
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s, volumes: ["v:/v"]}
volumes:
  v: {name: precious, driver_opts: {type: tmpfs, device: tmpfs}}
"""
    said = compose.up(text, "-y", warns=True).stderr
    assert 'volume "precious" already exists but was' in said
    assert compose.execute("web", "cat", "/v/file") == "mine\n"
    compose("down", "-v", "-t", "0")
    assert compose.rootless("run", "--rm", "-v", "precious:/v", "busybox", "cat", "/v/file").stdout == "mine\n"
    compose.rootless("volume", "rm", "precious")


def test_json_for_people_has_no_controls(compose: Compose) -> None:
    r"""C1 controls and marks of direction stand in JSON as \u...., which terminals do not act upon, and parsers read back."""
    compose.up("""
services:
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s, labels: {seen: "\\x9b31m\\u202e"}}
""")
    for words in (("ps", "--format", "json"), ("config", "--format", "json")):
        told = compose(*words).stdout
        assert all(letter.isprintable() or letter == "\n" for letter in told)
        assert "\\u009b31m\\u202e" in told
        json.loads(told)


@pytest.mark.parametrize("text", [
    "services: {web: {image: busybox, env_file: pipe}}", "services: {web: {image: busybox, env_file: /dev/tty}}",
    "services: {web: {image: busybox, label_file: pipe}}", "include: [pipe]", "services: {web: {extends: {file: pipe, service: x}}}",
    "services: {web: {image: busybox, secrets: [{source: s, uid: '7'}]}}\nsecrets: {s: {file: pipe}}",
])  # fmt: skip
def test_a_pipe_or_device_that_a_file_names_keeps_nobody_waiting(compose: Compose, text: str) -> None:
    os.mkfifo(compose.directory / "pipe")
    told = compose.up(text, status=1).stderr
    assert "is no regular file" in told or "cannot read /dev/tty" in told, told


def test_what_the_shell_opens_is_read(compose: Compose) -> None:
    """`-f <(...)` and --env-file of the same kind are pipes that somebody writes."""
    words = [*compose.rootless.argv, "compose", "-f", "/dev/fd/0", "config", "--images"]
    done = subprocess.run(words, input="services: {web: {image: busybox}}", capture_output=True, text=True, timeout=60, check=True,
                          cwd=compose.directory, env=compose.rootless.environment)  # fmt: skip
    assert done.stdout == "busybox\n"


@pytest.mark.own_store
def test_an_image_does_not_put_its_container_into_a_project(compose: Compose, tmp_path: Path) -> None:
    """Nor where it has been removed since, and nobody can ask it any more."""
    directory = tmp_path / "image"
    directory.mkdir()
    names = ("project=demo", "service=web", "config-hash=1", "container-number=1", "oneoff=False", "image=sha256:0", "version=2.40.3")
    words = " ".join(f"com.docker.compose.{name}" for name in names)
    (directory / "Dockerfile").write_text(f"FROM busybox\nLABEL {words}\n")
    compose.rootless("build", "-q", "-t", "hostile", directory)
    mine = compose.rootless("run", "-d", "hostile", "sleep", "1000").stdout.strip()
    compose.rootless("rmi", "-f", "hostile")
    assert compose.rootless("compose", "-p", "demo", "ps", "-aq", cwd=tmp_path).lines == []
    compose.rootless("compose", "-p", "demo", "down", "-t", "0", cwd=tmp_path, warns=True)
    assert mine in compose.rootless("ps", "-q", "--no-trunc").lines
    compose.rootless("rm", "-f", mine)


def test_a_watched_directory_that_goes_takes_no_root_along(compose: Compose) -> None:
    """What is synced to / has been removed on the host: the container's root, and what is mounted in it, are not."""
    compose.file("1", "src/first")
    compose.file("2", "keep/file")
    compose.up("""
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["./keep:/keep"]
    develop:
      watch:
        - {path: ., action: sync, target: /app, ignore: [keep/]}
        - {path: ./src, action: sync, target: /}
""")
    process = begin(compose, "--no-up")
    (compose.directory / "src/first").rename(compose.directory / "second")
    (compose.directory / "src").rmdir()
    eventually(lambda: compose.rootless("exec", "demo-web-1", "cat", "/app/second", status=None).stdout == "1")
    compose.file("3", "third")
    eventually(lambda: compose.rootless("exec", "demo-web-1", "cat", "/app/third", status=None).stdout == "3")
    assert (compose.directory / "keep/file").read_text() == "2"
    process.terminate()
    process.wait()
