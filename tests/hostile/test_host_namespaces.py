"""--network host and --pid host: what is shared was asked for, what can be kept apart is (Landlock)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.runtime.process import landlock as scoping
from tests.harness.command import Rootless
from tests.hostile.conftest import Attack
from tests.need import need

OFF = ("--security-opt", "landlock=off")


@pytest.fixture
def landlock() -> None:
    need(scoping.available(), "Landlock has no scopes on this kernel (Linux 6.12)")


@pytest.fixture
def abstract() -> Iterator[str]:
    """A listening abstract socket of the host's network namespace."""
    name = f"rl-hostile-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen(16)
        yield name


@pytest.mark.usefixtures("landlock")
def test_cve_2020_15257_abstract_sockets_of_the_host(attack: Attack, abstract: str) -> None:
    assert attack("abstract", abstract, options=("--network", "host")) == ["EPERM"]
    assert attack("abstract", abstract, options=("--network", "host", "-u", "1000")) == ["EPERM"]
    assert attack("abstract", abstract, options=("--network", "none")) == ["ECONNREFUSED"]
    # What the wall is for: without it the socket is in reach.
    assert attack("abstract", abstract, options=("--network", "host", *OFF)) == ["OK 0"]


@pytest.mark.usefixtures("landlock")
def test_cve_2020_15257_from_exec(
    rootless: Rootless, busybox_image: str, payload: Path, abstract: str
) -> None:
    mount = ("-v", f"{payload}:/payload:ro")
    rootless("run", "-d", "--name", "box", "--network", "host", *mount, busybox_image, "sleep", "60")
    rootless(
        "run", "-d", "--name", "guest", "--network", "container:box", *mount, busybox_image, "sleep", "60"
    )
    for name in ("box", "guest"):
        assert rootless("exec", name, "/payload", "abstract", abstract).stdout == "EPERM\n"
    rootless("rm", "-f", "box", "guest")


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the same user on the host."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.usefixtures("landlock")
def test_signals_to_the_owners_processes(attack: Attack, victim: int) -> None:
    """Container root has the caller's uid: with the host's pids in view it could kill its session."""
    number = str(signal.SIGCONT.value)
    assert attack("kill", str(victim), number, options=("--pid", "host", "--network", "none")) == ["EPERM"]
    assert attack("kill", str(victim), number, options=("--pid", "host", "--network", "none", *OFF)) == [
        "OK 0"
    ]


@pytest.mark.parametrize("options", [("--pid", "host"), ("--pid", "host", "--privileged"),
                                     ("--pid", "host", "--cap-add", "SYS_PTRACE", *OFF)])  # fmt: skip
def test_supervisor_and_owners_processes_cannot_be_traced(
    rootless: Rootless, busybox_image: str, payload: Path, victim: int, options: tuple[str, ...]
) -> None:
    mount = ("-v", f"{payload}:/payload:ro")
    rootless(
        "run", "-d", "--name", "box", "--network", "none", *mount, *options, busybox_image, "sleep", "60"
    )
    monitor = rootless("inspect", "--format", "{{.State.MonitorPid}}", "box").stdout.strip()
    for pid in (monitor, str(victim), str(os.getpid())):
        lines = rootless("exec", "box", "/payload", "trace", pid).lines
        assert not [line for line in lines if line.startswith("OK")], (pid, lines)
    rootless("rm", "-f", "box")


def test_the_wall_can_be_demanded(rootless: Rootless, busybox_image: str) -> None:
    done = rootless(
        "run",
        "--rm",
        "--network",
        "host",
        "--security-opt",
        "landlock=on",
        busybox_image,
        "true",
        status=None,
    )
    assert done.status == (0 if scoping.available() else 125)


def test_labels_that_do_not_exist_are_errors(rootless: Rootless, busybox_image: str) -> None:
    if not Path("/sys/module/apparmor/parameters/enabled").exists():
        for word in ("apparmor=docker-default", "label=type:container_t"):
            done = rootless("run", "--rm", "--security-opt", word, busybox_image, "true", status=125)
            assert "security label" in done.stderr
    for word in ("apparmor=unconfined", "label=disable"):
        rootless("run", "--rm", "--network", "none", "--security-opt", word, busybox_image, "true")
