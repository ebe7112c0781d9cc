"""Containers as services of the user's systemd: sd_notify(3) and socket activation by real units."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator

import pytest

from tests.vm.machine import Machine
from tests.vm.test_boot import wait_until

# The host's Python over busybox.
PYTHON = (
    "--network none -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v %h/program.py:/program.py:ro "
    "busybox /usr/bin/python3 -u /program.py"
)
SERVICE = """[Service]
Type=notify
NotifyAccess=all
Delegate=yes
Environment=ROOTLESS_DELEGATED_UNIT=%n
ExecStart=%h/venv/bin/rootless run -d --name {name} {options} {python}
ExecStop=%h/venv/bin/rootless stop -t 1 {name}
ExecStopPost=-%h/venv/bin/rootless rm -f {name}
"""
SAYS_READY_LATE = """
import os, socket, time
time.sleep(4)
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.connect(os.environ["NOTIFY_SOCKET"])
told.send(b"READY=1\\nSTATUS=said inside")
time.sleep(1000)
"""
SERVES_ONE = """
import os, socket, sys
listening = socket.socket(fileno=3)
connection, _ = listening.accept()
connection.sendall(f"{os.getpid()} {os.environ['LISTEN_FDS']} {os.environ['LISTEN_PID']} {os.environ['LISTEN_FDNAMES']}".encode())
sys.exit(3)
"""
ASK = "python3 -c 'import socket; c = socket.create_connection((\"127.0.0.1\", 8085), 60); c.settimeout(60); print(c.recv(99).decode())'"


@pytest.fixture
def install(vm: Machine) -> Iterator[Callable[..., None]]:
    """install(program, **units): texts of alice's program.py and of units by name ("late_service")."""
    names = []

    def write(program: str, **units: str) -> None:
        files = {"~/program.py": program}
        for name, text in units.items():
            names.append(name.replace("_", "."))
            files[f"~/.config/systemd/user/{names[-1]}"] = text
        text = "mkdir -p ~/.config/systemd/user\n"
        text += "".join(f"printf %s {shlex.quote(content)} >{path}\n" for path, content in files.items())
        vm.run("alice", text + "systemctl --user daemon-reload")

    yield write
    stop = "; ".join(f"systemctl --user stop {name}; rm ~/.config/systemd/user/{name}" for name in reversed(names))
    vm.run("alice", f"{stop}; systemctl --user daemon-reload; systemctl --user reset-failed", check=False)


def shown(vm: Machine, unit: str, *properties: str) -> list[str]:
    words = ",".join(properties)
    found = vm.run("alice", f"systemctl --user show -p {words} {unit}").stdout.splitlines()
    values = dict(line.split("=", 1) for line in found)
    return [values[name] for name in properties]


def test_the_container_says_when_it_is_ready(vm: Machine, install: Callable[..., None]) -> None:
    unit = SERVICE.format(name="late", options="--sdnotify container", python=PYTHON)
    install(SAYS_READY_LATE, late_service=unit)
    vm.run("alice", "systemctl --user start --no-block late")
    pid = "rootless inspect -f '{{.State.Pid}}' late"
    wait_until(lambda: vm.run("alice", f"[ $({pid}) -gt 0 ]", check=False).returncode == 0, "a process", 120)
    before = shown(vm, "late", "ActiveState", "StatusText")
    vm.run("alice", "systemctl --user start late")  # waits for what was begun
    assert before == ["activating", ""]
    state, text, main = shown(vm, "late", "ActiveState", "StatusText", "MainPID")
    assert (state, text) == ("active", "said inside")
    assert vm.run("alice", f"ps -o ppid= -p $({pid})").stdout.strip() == main  # the monitor
    vm.run("alice", "systemctl --user stop late; test -z \"$(rootless ps -aq)\"")


@pytest.mark.differs
def test_a_socket_starts_it_and_stays_open_over_restarts(vm: Machine, install: Callable[..., None]) -> None:
    unit = SERVICE.format(name="web", options="--restart on-failure", python=PYTHON)
    install(SERVES_ONE, web_service=unit, web_socket="[Socket]\nListenStream=127.0.0.1:8085\nFileDescriptorName=hello\n")
    vm.run("alice", "systemctl --user start web.socket")
    assert shown(vm, "web.service", "ActiveState") == ["inactive"]
    answers = vm.run("alice", f"for i in 1 2 3; do {ASK}; done").stdout.splitlines()
    assert answers == ["1 1 1 hello"] * 3
    restarts = vm.run("alice", "rootless inspect -f '{{.RestartCount}}' web").stdout.strip()
    assert int(restarts) >= 2
    # systemd has started it once: what brought it back was the policy.
    assert shown(vm, "web.service", "ActiveState", "NRestarts") == ["active", "0"]


def test_a_log_in_the_journal(vm: Machine) -> None:
    """A real journal takes each line with the container's fields, and stderr's at its priority."""
    script = "echo to stdout; echo to stderr >&2; head -c 20000 /dev/zero | tr '\\0' x; echo"
    vm.run("alice", f"rootless run --name logged --network none --log-driver journald --label a=b busybox sh -c {shlex.quote(script)}")
    query = "sleep 2; journalctl -q -a -o json CONTAINER_NAME=logged"
    entries = [json.loads(line) for line in vm.run("alice", query).stdout.splitlines()]
    told = [(entry["MESSAGE"], entry["PRIORITY"]) for entry in entries]
    assert ("to stdout", "6") in told
    assert ("to stderr", "3") in told
    parts = [entry for entry in entries if set(entry["MESSAGE"]) == {"x"}]
    assert sum(len(entry["MESSAGE"]) for entry in parts) == 20000
    assert [entry.get("CONTAINER_PARTIAL_MESSAGE") for entry in parts] == ["true", None]
    assert {entry["IMAGE_NAME"] for entry in entries} == {"busybox"}
    assert "journalctl CONTAINER_ID_FULL=" in vm.run("alice", "rootless logs logged", check=False).stderr
    vm.run("alice", "rootless rm logged")
