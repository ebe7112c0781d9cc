"""`rootless system service --install` under the user's systemd: a socket that starts the service, and what outlives it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.vm.machine import Machine
from tests.vm.test_boot import alice, log_out, runs, wait_until  # noqa: F401 - alice is a fixture

UNITS = "~/.config/systemd/user"
ASK = """
import http.client, json, os, socket, sys
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(f"/run/user/{os.getuid()}/docker.sock")
connection.sock.settimeout(120)
method, path, *body = sys.argv[1:]
connection.request(method, path, *body, headers={"Content-Type": "application/json"} if body else {})
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""
CREATE = {"Image": "busybox", "Cmd": ["sleep", "4321"], "HostConfig": {"NetworkMode": "none"}}


@pytest.fixture
def ask(vm: Machine) -> Iterator[Callable[..., Any]]:
    """ask(method, path, body=None): the answer's JSON, or its text, asked by alice's uid without her logging in."""
    vm.run("root", f"printf %s {shlex.quote(ASK)} >/srv/ask.py; chmod a+r /srv/ask.py")

    def answer(method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        words = [method, f"/v1.44{path}", *([] if body is None else [json.dumps(body)])]
        line = "runuser -u alice -- python3 /srv/ask.py " + " ".join(map(shlex.quote, words))
        found, text = json.loads(vm.run("root", line).stdout)
        assert found == status, (words, text)
        return json.loads(text) if text[:1] in ("{", "[") else text

    yield answer
    vm.run(
        "alice",
        f"systemctl --user stop rootless.socket rootless.service; rm -f {UNITS}/rootless.s* {UNITS}/*.wants/rootless.socket; "
        "systemctl --user daemon-reload",
        check=False,
    )


def unit(vm: Machine, name: str) -> str:
    """ActiveState of a unit of alice's, without her logging in."""
    return vm.run("root", f"systemctl --user -M alice@ show -P ActiveState {name}").stdout.strip()


def test_the_socket_starts_the_service_and_containers_outlive_it(
    vm: Machine, alice: Callable[[str], str], ask: Callable[..., Any]  # noqa: F811
) -> None:
    vm.run("root", "loginctl enable-linger alice")
    told = alice("rootless system service --install; rootless system service --install")  # again is no error
    assert "rootless.socket" in told
    assert (unit(vm, "rootless.socket"), unit(vm, "rootless.service")) == ("active", "inactive")
    assert alice("stat -c '%a %U' $XDG_RUNTIME_DIR/docker.sock; rootless system service --print-env").splitlines() == [
        "600 alice", f"export DOCKER_HOST=unix:///run/user/{alice('id -u')}/docker.sock",
    ]  # fmt: skip
    assert ask("GET", "/_ping") == "OK"
    assert unit(vm, "rootless.service") == "active"
    made = ask("POST", "/containers/create?name=kept", CREATE, status=201)["Id"]
    ask("POST", "/containers/kept/start", status=204)
    assert runs(vm, "sleep 4321")
    # Nobody asks: the service ends by itself, the socket stays, and so does the container, which the next one knows.
    wait_until(lambda: unit(vm, "rootless.service") == "inactive", "the idle exit", 240)
    assert runs(vm, "sleep 4321")
    assert [each["Id"] for each in ask("GET", "/containers/json")] == [made]
    # systemd ends it, and who started it logs out: as before.
    alice("systemctl --user stop rootless.service")
    log_out(vm)
    assert runs(vm, "sleep 4321")
    assert ask("GET", "/containers/kept/json")["State"]["Running"] is True
    # The manager starts again, as at a boot: the socket is there before anybody logs in.
    ask("DELETE", "/containers/kept?force=1", status=204)
    vm.run("root", "systemctl restart user@$(id -u alice)")
    wait_until(lambda: unit(vm, "rootless.socket") == "active", "the socket at the manager's start", 120)
    assert ask("GET", "/containers/json?all=1") == []
