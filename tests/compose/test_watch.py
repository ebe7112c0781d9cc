"""`develop.watch` (#792): files synced, removed, ignored; restarts; rebuilds; and what makes no sense."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.compose.projects import Compose


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what has to come."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def begin(compose: Compose, *words: str) -> subprocess.Popen[bytes]:
    process = compose.start("watch", *words)
    assert process.stdout is not None
    while b"Watch enabled" not in (line := process.stdout.readline()):
        assert line, "watch ended"
    return process


def test_sync(compose: Compose) -> None:
    compose.file("1", "src/first")
    compose.file("secret", "src/node_modules/x")
    compose.up("""
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    develop:
      watch:
        - {path: ./src, action: sync, target: /app, initial_sync: true, ignore: [node_modules/]}
        - {path: ./conf, action: sync+restart, target: /conf}
        - {path: ./run, action: sync+exec, target: /run-it, exec: {command: sh -c 'cp /run-it/x /ran'}}
""")
    for name in ("conf", "run"):
        (compose.directory / name).mkdir()
    process = begin(compose, "--no-up")

    def text(path: str) -> str:
        return compose.rootless("exec", "demo-web-1", "cat", path, status=None).stdout

    assert text("/app/first") == "1"
    assert text("/app/node_modules/x") == ""
    compose.file("2", "src/first")
    compose.file("deep", "src/new/deeper/file")
    compose.file("ignored", "src/node_modules/y")
    eventually(lambda: text("/app/first") == "2" and text("/app/new/deeper/file") == "deep")
    assert text("/app/node_modules/y") == ""
    (compose.directory / "src/first").unlink()
    eventually(lambda: text("/app/first") == "")
    before = compose.inspect("demo-web-1")["State"]["StartedAt"]
    compose.file("c", "conf/x")
    eventually(lambda: compose.inspect("demo-web-1")["State"]["StartedAt"] > before)
    eventually(lambda: text("/conf/x") == "c")
    compose.file("r", "run/x")
    eventually(lambda: text("/ran") == "r")
    process.terminate()
    process.wait()


def test_up_with_watch_shows_logs_and_syncs(compose: Compose) -> None:
    compose.file("1", "src/a")
    compose.file("""
services:
  web:
    image: busybox
    command: sh -c 'while sleep 0.2; do cat /app/a; done 2>/dev/null'
    stop_grace_period: 0s
    develop: {watch: [{path: ./src, action: sync, target: /app}]}
""")
    process = compose.start("up", "--watch")
    assert process.stdout is not None
    while b"Watch enabled" not in process.stdout.readline():
        pass
    compose.file("changed\n", "src/a")
    while b"web-1  | changed" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.own_store
def test_rebuild(compose: Compose) -> None:
    compose.file("FROM busybox\nCOPY a /a\n", "Dockerfile")
    compose.file("1", "a")
    compose.file("out", ".dockerignore")
    compose.file("""
services:
  web:
    build: .
    command: sleep 1000
    stop_grace_period: 0s
    develop: {watch: [{path: ., action: rebuild}]}
""")
    process = begin(compose)
    before = compose.ids()
    compose.file("x", "out")
    compose.file("2", "a")
    eventually(lambda: compose.ids() not in ({}, before) and compose.rows()["demo-web-1"]["State"] == "running")
    assert compose.execute("web", "cat", "/a") == "2"
    process.terminate()
    process.wait()


@pytest.mark.parametrize(("watch", "message"), [
    ("", "none of the selected services is configured for watch"),
    ("develop: {watch: [{path: ./x, action: rebuild}]}", "can't watch service 'web' with action rebuild without a build section"),
    ("develop: {watch: [{path: ./x, action: sync}]}", "sync needs a target"),
    ("develop: {watch: [{path: ./none, action: restart}]}", "no such file or directory"),
    ("develop: {watch: [{path: ./x, action: sync+exec, target: /x}]}", "sync+exec without an exec command"),
])  # fmt: skip
def test_what_makes_no_sense(compose: Compose, watch: str, message: str) -> None:
    compose.file(f"services:\n  web:\n    image: busybox\n    command: 'true'\n    {watch}\n")
    assert message in compose("watch", "--no-up", status=1).stderr
