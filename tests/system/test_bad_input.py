"""What a user gets wrong: one clear line, Docker's exit status, nothing left behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import free_port


def refused(rootless: Rootless, *words: str | Path, status: int = 125) -> str:
    """stderr of `run --rm WORDS`, which is short and no traceback."""
    done = rootless("run", "--rm", *words, status=status)
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 8
    return done.stderr


@pytest.mark.parametrize(
    ("command", "status"), [("/nowhere", 127), ("missing-program", 127), ("/etc/passwd", 126), ("/etc", 126)]
)
def test_command_that_cannot_run(rootless: Rootless, busybox_image: str, command: str, status: int) -> None:
    assert command in refused(rootless, busybox_image, command, status=status)


def test_unknown_image_without_pulling(rootless: Rootless) -> None:
    assert "no-such" in refused(rootless, "--pull", "never", "localhost/no-such:1", "true")


def test_registry_down(rootless: Rootless) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert address in refused(rootless, f"{address}/x:1", "true")


def test_missing_bind_source(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    told = refused(rootless, "--mount", f"type=bind,source={missing},target=/x", busybox_image, "true")
    assert str(missing) in told


def test_port_in_use(rootless: Rootless, busybox_image: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = refused(rootless, "-p", f"127.0.0.1:{port}:80", busybox_image, "true")
    assert str(port) in told


def test_name_in_use(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "taken", busybox_image)
    assert "taken" in refused(rootless, "--name", "taken", busybox_image, "true")
    rootless("rm", "taken")


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-option"], ["--name", "-bad-"], ["-p", "99999:1"], ["-v", "relative:relative"],
        ["--network", "no-such"], ["--ulimit", "nofile"], ["--mount", "type=what,target=/x"],
        ["--sysctl", "kernel.panic=1"], ["--cap-add", "NO_SUCH"], ["--memory", "lots"],
    ],
)  # fmt: skip
def test_options_that_make_no_sense(rootless: Rootless, busybox_image: str, words: list[str]) -> None:
    refused(rootless, *words, busybox_image, "true")


def test_no_arguments(rootless: Rootless) -> None:
    assert "requires at least 1 argument" in rootless("run", status=None).stderr


def test_unknown_command(rootless: Rootless) -> None:
    assert "frobnicate" in rootless("frobnicate", status=None).stderr
