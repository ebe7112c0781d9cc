"""What crosses into a container: descriptors 0 to 2, and nothing else (CVE-2024-21626)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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


class Observed(NamedTuple):
    """What observe.c said of a command: open descriptors as (when, number, what), open doors as
    (when, which), and how many processes have entered the container's user namespace."""

    entered: int
    descriptors: set[tuple[str, int, str]]
    doors: set[tuple[str, str]]

    @property
    def foreign(self) -> set[tuple[str, int, str]]:
        """The descriptors that are not what enters: streams, the sealed program, one channel."""
        ours = ("/dev/null", "pipe:", "/memfd:rootless-exec ")
        sockets = {number for _, number, what in self.descriptors if what.startswith("socket:")}
        channel = "socket:" if len(sockets) == 1 else ours[0]
        return {one for one in self.descriptors if not one[2].startswith((*ours, channel))}


def observe(
    rootless: Rootless, observer: Path, passed: list[int], *words: str | Path, status: int
) -> Observed:
    """`words` of the command, beside the container `box`, whose processes look on. It is executed in the
    session: there the observer may look into all of it."""
    pid = rootless("inspect", "--format", "{{.State.Pid}}", "box").stdout.strip()
    process = rootless.start("unshare", observer, pid, *rootless.argv, *words, pass_fds=passed)
    out, err = process.communicate(timeout=120)
    rootless("rm", "-f", "box")
    assert process.returncode == status, err
    lines = [line.split(" ", 4) for line in out.decode().splitlines()]
    found = Observed(
        sum(line[0] == "entered" for line in lines),
        {(line[2], int(line[3]), line[4]) for line in lines if line[0] == "open"},
        {(line[2], line[3]) for line in lines if line[0] in ("seen", "root")},
    )
    assert found.entered == 2, "the one that joins, and the one that becomes the command"
    assert "born" in {when for when, *_ in found.descriptors}
    return found


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, ("box", "true")),
        (0, ("-i", "-u", "1000", "box", "true")),
        (127, ("box", "/nothing")),
        (126, ("-w", "/nowhere", "box", "true")),
    ],
)
def test_none_can_be_grabbed_from_an_exec(
    rootless: Rootless,
    busybox_image: str,
    observer: Path,
    inherited: list[int],
    status: int,
    words: tuple[str, ...],
) -> None:
    """A process that is ending loses its memory before its descriptors, and on many kernels with it the
    mark that keeps others from looking in: what it has open then must be nothing of the host's."""
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "60")
    found = observe(rootless, observer, inherited, "exec", *words, status=status)
    assert found.foreign == set()
    assert found.doors == set()


@pytest.mark.parametrize(
    ("status", "options", "command"),
    [
        (0, (), "true"),
        (127, (), "/nothing"),
        # While its root is the host's.
        (125, ("--tmpfs", "/bin/busybox"), "true"),
    ],
)
def test_none_can_be_grabbed_from_a_run_that_joins(
    rootless: Rootless,
    busybox_image: str,
    observer: Path,
    inherited: list[int],
    status: int,
    options: tuple[str, ...],
    command: str,
) -> None:
    """`box` has capabilities over the user namespace that both share."""
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "60")
    words = ("run", "--rm", "--network", "none", "--pid", "container:box", *options, busybox_image, command)
    found = observe(rootless, observer, inherited, *words, status=status)
    assert found.foreign == set()
    assert found.doors == set()
    # Who hears of its failure kills it: by then it has nothing but what it tells that with.
    assert {what.split(":")[0] for when, _, what in found.descriptors if when == "ends"} <= {"socket"}


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
