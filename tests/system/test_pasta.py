"""`--network pasta` as users have it: the machine's pasta, whatever its age."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.network.asking import ask


@pytest.fixture(autouse=True)
def pasta() -> None:
    need_program("pasta")


def publishes(rootless: Rootless) -> bool:
    environment = rootless.environment
    known = subprocess.run(["pasta", "--help"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    return "--map-host-loopback" in known.stdout + known.stderr


def test_a_container_has_its_own_network(rootless: Rootless, busybox_image: str) -> None:
    done = rootless("run", "--rm", "--network", "pasta:-m,1400", busybox_image, "ip", "addr", "show", "tap0")
    assert "inet 10.0.2.100/24" in done.stdout
    assert "mtu 1400" in done.stdout
    assert "nameserver 10.0.2.3" in rootless("run", "--rm", "--network", "pasta", busybox_image, "cat", "/etc/resolv.conf").stdout


def test_ports_are_published_or_refused(rootless: Rootless, busybox_image: str) -> None:
    command = ("run", "-d", "--name", "web", "--network", "pasta", "-p", "127.0.0.1:5350:80", busybox_image)
    serve = ("sh", "-c", "trap 'exit 0' TERM; while :; do echo hello | nc -l -p 80; done & wait")
    if not publishes(rootless):
        refused = rootless(*command, *serve, status=125)
        assert "ports cannot be published: this pasta is older than August 2024" in refused.stderr
        return
    rootless(*command, *serve)
    until = time.monotonic() + 60
    while (answer := _asked()) != b"hello\n" and time.monotonic() < until:
        time.sleep(0.1)
    assert answer == b"hello\n"
    assert rootless("port", "web").stdout == "80/tcp -> 127.0.0.1:5350\n"
    rootless("rm", "--force", "web")


def _asked() -> bytes:
    try:
        return ask(5350, b"")
    except OSError:
        return b""


def test_it_is_there_again_after_a_restart_and_gone_with_the_container(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "one", "--network", "pasta", "--init", busybox_image, "sleep", "1000")
    first = uplink(rootless)
    rootless("restart", "--time", "0", "one")
    second = uplink(rootless)
    assert first != second
    assert ended(first)
    assert "10.0.2.100" in rootless("exec", "one", "ip", "addr").stdout
    # A monitor that is killed takes all along.
    state = json.loads((rootless.root / "containers" / identifier(rootless) / "state.json").read_text())
    os.kill(state["monitor_pid"], signal.SIGKILL)
    until = time.monotonic() + 60
    while not ended(second) and time.monotonic() < until:
        time.sleep(0.05)
    assert ended(second)
    rootless("rm", "--force", "one")


def identifier(rootless: Rootless) -> str:
    return rootless("inspect", "--format", "{{.Id}}", "one").stdout.strip()


def uplink(rootless: Rootless) -> int:
    state = json.loads((rootless.root / "containers" / identifier(rootless) / "state.json").read_text())
    return int(state["network"]["pid"])


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("app,speed=host", "invalid field app: must be a key=value pair (in 'app,speed=host')"),
        ("name=app,speed=host", "invalid field key speed (in 'name=app,speed=host')"),
        ("pasta:speed=host", "unknown pasta option: speed=host"),
    ],
)
def test_there_is_no_host_speed_to_be_asked_for(rootless: Rootless, busybox_image: str, words: str, says: str) -> None:
    """docs/development/decisions/network-host-speed.md"""
    assert says in rootless("run", "--rm", "--network", words, busybox_image, "true", status=125).stderr
