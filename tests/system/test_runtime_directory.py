"""$XDG_RUNTIME_DIR is another one than before, is not there, or its contents went: containers are found all the same."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.trees import remove_tree
from tests.system.test_reset import session_processes

NO_NETWORK = ("--network", "none")


@pytest.fixture
def elsewhere(rootless: Rootless) -> Iterator[Rootless]:
    """The same store with another runtime directory."""
    runtime = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    other = Rootless(rootless.root, runtime)
    other.argv = rootless.argv
    yield other
    other.close()
    remove_tree(runtime)


def uses_all(rootless: Rootless, name: str, image: str) -> None:
    """What needs the session or a socket of a running container."""
    assert b"root:x:0" in rootless("cp", f"{name}:/etc/passwd", "-").raw
    assert b"etc/passwd" in rootless("export", name).raw
    for kind in ("network", "pid"):
        other = () if kind == "network" else NO_NETWORK
        done = rootless("run", "--rm", *other, f"--{kind}", f"container:{name}", image, "echo", "x")
        assert done.stdout == "x\n"
    assert rootless("exec", name, "echo", "y").stdout == "y\n"


def attach(rootless: Rootless) -> subprocess.Popen[bytes]:
    """An attached client that has seen the container's output."""
    process = rootless.start("attach", "--no-stdin", "up")
    assert process.stdout is not None
    assert process.stdout.readline() == b"tick\n"
    return process


def up(rootless: Rootless, image: str, name: str = "up") -> None:
    rootless("run", "-d", "--name", name, *NO_NETWORK, image, "sh", "-c", "while :; do echo tick; sleep 0.1; done")


def test_another_runtime_directory(rootless: Rootless, elsewhere: Rootless, busybox_image: str) -> None:
    up(rootless, busybox_image)
    uses_all(elsewhere, "up", busybox_image)
    up(elsewhere, busybox_image, "second")
    uses_all(rootless, "second", busybox_image)
    waiting = elsewhere.start("wait", "up")
    attached = attach(elsewhere)
    rootless("kill", "up")
    assert waiting.communicate(timeout=30)[0] == b"137\n"
    assert attached.wait(timeout=30) == 137
    rootless("rm", "-f", "up", "second")
    assert not list((rootless.sockets / "c").iterdir())
    assert not list((elsewhere.sockets / "c").iterdir())


def test_a_runtime_directory_that_went(rootless: Rootless, busybox_image: str) -> None:
    """A cleaner of /tmp, the end of the last login. Its old session process leaves."""
    up(rootless, busybox_image)
    before = session_processes()
    remove_tree(rootless.sockets)
    wait_until(lambda: len(session_processes()) < len(before), "the end of the holder that nobody can reach")
    uses_all(rootless, "up", busybox_image)
    assert "restart" in rootless("attach", "up", status=1).stderr
    rootless("restart", "-t", "0", "up")
    attached = attach(rootless)
    rootless("rm", "-f", "up")
    assert attached.wait(timeout=30) == 137


def test_no_session_outlives_its_use(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--rm", *NO_NETWORK, busybox_image, "true")
    before = session_processes()
    assert before
    remove_tree(rootless.sockets)
    wait_until(lambda: session_processes() < before, "the end of the session")


@pytest.mark.parametrize("value", ["", "/nonexistent", "relative", "/proc", "/etc/passwd", "/root"])
def test_a_runtime_directory_that_is_none(rootless: Rootless, busybox_image: str, value: str) -> None:
    up(rootless, busybox_image)
    elsewhere = Rootless(rootless.root, Path(value))
    elsewhere.argv = rootless.argv
    fallback = Path(f"/tmp/rootless-{os.getuid()}")
    was_there = fallback.exists()
    uses_all(elsewhere, "up", busybox_image)
    rootless("rm", "-f", "up")
    if not was_there:
        remove_tree(fallback)


def test_an_unwritable_runtime_directory(rootless: Rootless, elsewhere: Rootless, busybox_image: str) -> None:
    up(rootless, busybox_image)
    fallback = Path(f"/tmp/rootless-{os.getuid()}")
    was_there = fallback.exists()
    elsewhere.runtime.chmod(0o500)
    uses_all(elsewhere, "up", busybox_image)
    elsewhere.runtime.chmod(0o700)
    rootless("rm", "-f", "up")
    if not was_there:
        remove_tree(fallback)
