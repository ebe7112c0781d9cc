"""Something of ours is killed at a bad moment: nothing is left running, the next command works."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.harness import leaks, processes
from tests.harness.command import Rootless
from tests.harness.processes import wait_until


def running(rootless: Rootless, image: str, network: str = "bridge") -> None:
    rootless("run", "-d", "--name", "web", "--network", network, image, "sleep", "1000")


def ours(word: str) -> list[processes.Process]:
    """Our processes with `word` in their command line."""
    return [each for each in processes.descendants().values() if word in each.command]


@pytest.mark.parametrize("network", ["bridge", "slirp4netns"])
def test_killed_monitor_takes_its_container_along(rootless: Rootless, busybox_image: str, network: str) -> None:
    running(rootless, busybox_image, network)
    (monitor,) = ours("rootless-monitor")
    os.kill(monitor.pid, signal.SIGKILL)
    wait_until(lambda: not ours("sleep 1000"), "the container's end")
    wait_until(lambda: not ours("slirp4netns") and not ours("rootless: networks"), "the end of its network")
    assert rootless("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web").stdout == "exited 137\n"
    rootless("start", "web")
    rootless("rm", "-f", "web")


def test_killed_holder_is_replaced(rootless: Rootless, busybox_image: str) -> None:
    running(rootless, busybox_image)
    holders = [each for each in processes.descendants().values() if leaks.is_holder(each)]
    for holder in holders:
        if "podman" not in holder.command:
            os.kill(holder.pid, signal.SIGKILL)
    assert rootless("exec", "web", "echo", "still").stdout == "still\n"
    assert rootless("run", "--rm", "--network", "none", busybox_image, "echo", "new").stdout == "new\n"
    rootless("rm", "-f", "web")


def test_killed_cli_of_rm_container(rootless: Rootless, busybox_image: str) -> None:
    """`run --rm` whose CLI dies: the container goes on, and is removed when it ends."""
    client = rootless.start("run", "--rm", "--name", "web", "--network", "none", busybox_image, "sleep", "2")
    wait_until(lambda: ours("sleep 2") and "web" in rootless("ps").stdout, "the container")
    client.kill()
    client.wait()
    wait_until(lambda: not rootless("ps", "-aq").stdout, "the clean-up")


def test_killed_at_any_moment_of_run(rootless: Rootless, busybox_image: str) -> None:
    for step in range(12):
        client = rootless.start("run", "--rm", "--network", "none", busybox_image, "true")
        time.sleep(0.01 * step)
        client.kill()
        client.wait()
    wait_until(lambda: not ours("rootless-monitor"), "the monitors' end")
    rootless("run", "--rm", "--network", "none", busybox_image, "true")
    left = rootless("ps", "-aq").lines
    if left:
        rootless("rm", "-f", *left)


def test_two_removals_at_once(rootless: Rootless, busybox_image: str) -> None:
    running(rootless, busybox_image)
    both = [rootless.start("rm", "-f", "web") for _ in range(2)]
    for each in both:
        _, stderr = each.communicate(timeout=30)
        assert b"Traceback" not in stderr
    assert rootless("ps", "-aq").stdout == ""


def test_term_to_the_cli_reaches_the_command(rootless: Rootless, busybox_image: str) -> None:
    script = "trap 'exit 12' TERM; echo ready; while :; do sleep 0.1; done"
    client = rootless.start("run", "--rm", "--network", "none", busybox_image, "sh", "-c", script)
    assert client.stdout is not None
    assert client.stdout.readline() == b"ready\n"
    client.terminate()
    assert client.wait(timeout=60) == 12
