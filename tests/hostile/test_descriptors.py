"""What crosses into a container: descriptors 0 to 2, and nothing else (CVE-2024-21626)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.hostile.conftest import Attack


@pytest.fixture
def inherited(trap: Path) -> Iterator[list[int]]:
    """Descriptors that a careless caller leaves open: directories of the host, a socket."""
    directory = os.open(trap, os.O_RDONLY | os.O_DIRECTORY)
    root = os.open("/", os.O_PATH)
    one, other = socket.socketpair()
    numbers = [100, 101, 102]
    for fd, number in zip((directory, root, one.fileno()), numbers, strict=True):
        os.dup2(fd, number, inheritable=True)
    yield numbers
    for number in (*numbers, directory, root):
        os.close(number)
    one.close()
    other.close()


def run(rootless: Rootless, passed: list[int], *words: str | Path) -> list[str]:
    process = rootless.start(*words, pass_fds=passed)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.decode().splitlines()


@pytest.mark.parametrize("options", [(), ("--init",), ("-i",), ("--privileged",), ("-p", "18099:80")])
def test_run_passes_none_on(
    rootless: Rootless, busybox_image: str, payload: Path, inherited: list[int], options: tuple[str, ...]
) -> None:
    mount = ("-v", f"{payload}:/payload:ro")
    assert (
        run(rootless, inherited, "run", "--rm", *options, *mount, busybox_image, "/payload", "descriptors")
        == []
    )


@pytest.mark.parametrize("options", [(), ("-i",), ("--privileged",), ("-u", "1000")])
def test_exec_passes_none_on(
    rootless: Rootless, busybox_image: str, payload: Path, inherited: list[int], options: tuple[str, ...]
) -> None:
    rootless(
        "run",
        "-d",
        "--name",
        "box",
        "--network",
        "none",
        "-v",
        f"{payload}:/payload:ro",
        busybox_image,
        "sleep",
        "60",
    )
    assert run(rootless, inherited, "exec", *options, "box", "/payload", "descriptors") == []
    rootless("rm", "-f", "box")


def test_none_can_be_grabbed_while_an_exec_fails(
    rootless: Rootless, busybox_image: str, payload: Path, inherited: list[int]
) -> None:
    """A process that is ending loses its memory before its descriptors, and with it the mark that
    keeps others from looking in: what it still has open then must be nothing of the host's."""
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{payload}:/payload:ro", busybox_image,
             "/payload", "grab", "100", "secret", "7")  # fmt: skip
    end = time.monotonic() + 4.5
    while time.monotonic() < end:
        for words in (("exec", "box", "/nothing"), ("exec", "-w", "/nowhere", "box", "true")):
            process = rootless.start(*words, pass_fds=inherited)
            process.communicate(timeout=60)
            assert process.returncode != 0
    rootless("wait", "box")
    assert rootless("logs", "box").lines == ["watching", "watched"]
    rootless("rm", "box")


def test_helpers_keep_none(rootless: Rootless, busybox_image: str, inherited: list[int]) -> None:
    """Monitor and network helper outlive the command: they must not hold its caller's files either."""
    run(rootless, inherited, "run", "-d", "--name", "box", busybox_image, "sleep", "60")
    state = rootless("inspect", "--format", "{{.State.MonitorPid}} {{.State.Pid}}", "box").stdout.split()
    for pid in state:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except PermissionError:
            continue
        targets = [os.readlink(f"/proc/{pid}/fd/{name}") for name in names]
        assert not [target for target in targets if "secret" in target or target == "/"], targets
        assert not {str(number) for number in inherited if number >= 100} & set(names)
    rootless("rm", "-f", "box")


# The runtime's own, and those that its caller left open: the trap's directory, and the host's root.
NUMBERS = (*range(3, 16), 100, 101)


@pytest.mark.parametrize("number", NUMBERS)
def test_cve_2024_21626_working_directory(
    rootless: Rootless, busybox_image: str, inherited: list[int], number: int
) -> None:
    """`-w /proc/self/fd/N` with whatever descriptor the runtime has open there."""
    options = ("--rm", "--network", "none", "-w", f"/proc/self/fd/{number}")
    process = rootless.start("run", *options, busybox_image, "sh", "-c", "pwd; ls", pass_fds=inherited)
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 125


def test_cve_2024_21626_working_directory_of_exec(
    rootless: Rootless, busybox_image: str, inherited: list[int]
) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "60")
    rootless("exec", "box", "ln", "-s", "/proc/self/fd/100", "/link")
    for place in (*(f"/proc/self/fd/{number}" for number in NUMBERS), "/link"):
        process = rootless.start("exec", "-w", place, "box", "sh", "-c", "pwd; ls", pass_fds=inherited)
        assert process.communicate(timeout=60)[0] == b""
        assert process.returncode != 0
    rootless("rm", "-f", "box")


def test_standard_streams_are_pipes_of_its_own(attack: Attack) -> None:
    """What the container's /proc/self/fd/1 leads to is not the caller's file."""
    assert attack("call", "1", "1", "@written", "0") == ["OK 0"]
