"""Stops and ends that ptrace(2) keeps: what a container makes of those who wait for its processes.

A process that says PTRACE_TRACEME makes its parent, which is one of ours, the tracer, and stops for it: that
is no end. One that is traced by another process of the container is never to be waited for: that is an end all the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.hostile.conftest import compiled
from tests.oci.bundles import Runtime, installed, make_rootfs


@pytest.fixture(scope="session")
def stops() -> Iterator[Path]:
    yield from compiled("stops")


@pytest.fixture
def mount(stops: Path) -> tuple[str, ...]:
    return ("--network", "none", "-v", f"{stops}:/stops:ro")


@pytest.mark.parametrize("options", [(), ("--init",), ("-t",), ("--restart", "no")])
@pytest.mark.parametrize(("verb", "status"), [("traceme", 3), ("thread", 4)])
def test_a_stop_of_the_first_process_is_no_end(
    rootless: Rootless, busybox_image: str, mount: tuple[str, ...], options: tuple[str, ...], verb: str, status: int
) -> None:
    done = rootless("run", "--name", "box", *options, *mount, busybox_image, "/stops", verb, status=status)
    assert done.lines == ["caught", "went on"], "the signal came, and it went on"
    assert "Exited" in rootless("ps", "-a").stdout
    rootless("rm", "box")


def test_the_container_keeps_its_monitor(rootless: Rootless, busybox_image: str, mount: tuple[str, ...]) -> None:
    """It has cleared its death signal: a monitor that took the stop for the end would have left it alone."""
    rootless("run", "-d", "--name", "box", *mount, busybox_image, "/stops", "orphan")
    wait_until(lambda: "up" in rootless("logs", "box").lines, "it goes on, and is heard")
    (found,) = json.loads(rootless("inspect", "box").stdout)
    assert found["State"]["Status"] == "running"
    rootless("stop", "-t", "0", "box")
    assert "Exited (137)" in rootless("ps", "-a").stdout
    rootless("rm", "box")


@pytest.mark.parametrize("options", [(), ("-t",), ("-i",)])
@pytest.mark.parametrize(("verb", "status"), [("traceme", 3), ("thread", 4)])
def test_a_stop_of_an_exec_is_no_end(
    rootless: Rootless, busybox_image: str, mount: tuple[str, ...], options: tuple[str, ...], verb: str, status: int
) -> None:
    rootless("run", "-d", "--name", "box", *mount, busybox_image, "sleep", "1000")
    done = rootless("exec", *options, "box", "/stops", verb, status=status, timeout=20)
    assert done.lines == ["caught", "went on"]
    rootless("rm", "-f", "box")


def test_an_exec_that_is_held_in_the_container(
    rootless: Rootless, busybox_image: str, mount: tuple[str, ...]
) -> None:
    rootless("run", "-d", "--name", "box", *mount, busybox_image, "sleep", "1000")
    process = rootless.start("exec", "-i", "box", "/stops", "wait")
    assert process.stdout is not None
    pid = process.stdout.readline().split()[1].decode()
    holder = rootless.start("exec", "box", "/stops", "hold", pid)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    process.communicate(b"x", timeout=20)
    assert process.returncode == 7, "the kernel knows how it ended"
    rootless("rm", "-f", "box")
    holder.wait(20)


def test_a_health_check_that_is_held_in_the_container(
    rootless: Rootless, busybox_image: str, mount: tuple[str, ...]
) -> None:
    options = ("--health-cmd", "/stops wait </dev/zero", "--health-interval", "1h", "--health-timeout", "20s")
    script = "while :; do p=$(pidof stops) && exec /stops hold ${p%% *}; done"
    rootless("run", "-d", "--name", "box", *options, *mount, busybox_image, "sh", "-c", script)
    rootless("healthcheck", "run", "box", status=1, timeout=15)
    (found,) = json.loads(rootless("inspect", "box").stdout)
    assert found["State"]["Health"]["Log"][-1]["ExitCode"] == 7
    rootless("rm", "-f", "box")


def test_a_health_check_that_stops(rootless: Rootless, busybox_image: str, mount: tuple[str, ...]) -> None:
    options = ("--health-cmd", "/stops traceme", "--health-interval", "1h", "--health-timeout", "20s")
    rootless("run", "-d", "--name", "box", *options, *mount, busybox_image, "sleep", "1000")
    rootless("healthcheck", "run", "box", status=1, timeout=15)
    (found,) = json.loads(rootless("inspect", "box").stdout)
    result = found["State"]["Health"]["Log"][-1]
    assert (result["ExitCode"], result["Output"]) == (3, "caught\nwent on\n")
    rootless("rm", "-f", "box")


def test_a_first_process_that_is_held(rootless: Rootless, busybox_image: str, mount: tuple[str, ...]) -> None:
    """With --pid host its tracer does not end with it: the monitor is told of its end by nobody but the kernel."""
    rootless("run", "-d", "--name", "box", "--pid", "host", *mount, busybox_image, "sleep", "1000")
    (found,) = json.loads(rootless("inspect", "box").stdout)
    holder = rootless.start("exec", "-i", "box", "/stops", "hold", str(found["State"]["Pid"]), "for a while")
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    rootless("kill", "box", timeout=20)
    assert rootless("wait", "box", timeout=20).stdout == "137\n"
    assert "Exited (137)" in rootless("ps", "-a").stdout
    holder.communicate(timeout=20)
    rootless("rm", "box")


@pytest.fixture
def oci(trap: Path, stops: Path) -> Iterator[Runtime]:
    runtime = Runtime(installed(trap), trap, make_rootfs(trap / "rootfs"))
    shutil.copy(stops, runtime.rootfs / "stops")
    yield runtime
    runtime.clean()


@pytest.mark.parametrize(("verb", "status"), [("traceme", 3), ("thread", 4)])
def test_the_runtime(oci: Runtime, verb: str, status: int) -> None:
    oci.spec["process"]["args"] = ["/stops", verb]
    oci.write()
    assert oci("run", "--bundle", str(oci.bundle), "c", status=status).stdout == "caught\nwent on\n"
    oci.create("sleep", "1000")
    oci("start", "c")
    assert oci("exec", "c", "/stops", verb, status=status).stdout == "caught\nwent on\n"


def test_a_held_exec_of_the_runtime(oci: Runtime) -> None:
    oci.create("sleep", "1000")
    oci("start", "c")
    argv = [str(oci.program), "--root", str(oci.state), "exec", "c", "/stops"]
    with (
        subprocess.Popen([*argv, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        open(os.devnull, "rb") as null,
    ):
        assert process.stdout is not None
        pid = process.stdout.readline().split()[1].decode()
        with subprocess.Popen([*argv, "hold", pid], stdin=null, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            process.communicate(b"x", timeout=20)
            assert process.returncode == 7
            oci("delete", "--force", "c")
            holder.wait(20)


COUNT = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # a subreaper, which reaps nothing
for _ in range(30):
    subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
for name in os.listdir("/proc"):
    if name.isdecimal():
        state, parent = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[:2]
        if int(parent) == os.getpid():
            print(name, state)
"""


def test_a_failed_exec_of_the_runtime_leaves_nobody(oci: Runtime) -> None:
    """Its process may be faster with its error than the one that cloned it with its pid."""
    oci.create("sleep", "1000")
    oci("start", "c")
    argv = [sys.executable, "-c", COUNT, str(oci.program), "--root", str(oci.state), "exec", "c", "nope"]
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "", f"not waited for, {time.monotonic() - began:.0f} s later"
