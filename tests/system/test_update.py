"""`update --restart`: obeyed at the next end, and two at once."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until

SLEEP = ("--network", "none", "busybox", "sleep", "1000")


def inspected(rootless: Rootless, name: str) -> dict[str, Any]:
    (found,) = json.loads(rootless("inspect", name).stdout)
    return dict(found)


def policy(rootless: Rootless, name: str) -> tuple[str, int]:
    found = inspected(rootless, name)["HostConfig"]["RestartPolicy"]
    return found["Name"], found["MaximumRetryCount"]


def end(rootless: Rootless, name: str) -> int:
    """Kill PID 1 as a crash would, whatever its policy; the pid that it had."""
    pid = int(inspected(rootless, name)["State"]["Pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_running_one_without_a_policy_gets_one(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "web", *SLEEP)
    assert policy(rootless, "web") == ("no", 0)
    assert rootless("update", "--restart", "on-failure:5", "web").stdout == "web\n"
    assert policy(rootless, "web") == ("on-failure", 5)
    assert inspected(rootless, "web")["State"]["Status"] == "running"
    pid = end(rootless, "web")
    wait_until(lambda: inspected(rootless, "web")["State"]["Pid"] not in (0, pid), "the restart")
    assert inspected(rootless, "web")["RestartCount"] == 1
    rootless("rm", "-f", "web")


def test_a_running_one_loses_its_policy(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "web", "--restart", "always", *SLEEP)
    rootless("update", "--restart", "no", "web")
    end(rootless, "web")
    rootless("wait", "web")
    wait_until(lambda: inspected(rootless, "web")["State"]["Status"] == "exited", "the end")
    found = inspected(rootless, "web")
    assert (found["State"]["ExitCode"], found["RestartCount"]) == (137, 0)
    assert policy(rootless, "web") == ("no", 0)
    rootless("rm", "web")


def test_a_stopped_one_stays_stopped_and_obeys_after_its_start(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "web", *SLEEP)
    rootless("stop", "-t", "0", "web")
    rootless("update", "--restart", "always", "web")
    assert inspected(rootless, "web")["State"]["Status"] == "exited"
    assert policy(rootless, "web") == ("always", 0)
    rootless("start", "web")
    pid = end(rootless, "web")
    wait_until(lambda: inspected(rootless, "web")["State"]["Pid"] not in (0, pid), "the restart")
    rootless("stop", "-t", "0", "web")
    assert inspected(rootless, "web")["State"]["Status"] == "exited"
    rootless("rm", "web")


def test_one_that_never_ran(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "web", "--network", "none", "busybox", "false")
    rootless("update", "--restart", "on-failure:1", "web")
    rootless("start", "web")
    wait_until(lambda: inspected(rootless, "web")["State"]["Status"] == "exited", "giving up")
    assert inspected(rootless, "web")["RestartCount"] == 1
    rootless("rm", "web")


def test_all_or_nothing(rootless: Rootless, busybox_image: str) -> None:
    """A limit that is refused leaves the policy as it was; a policy that is refused, the limits."""
    rootless("run", "-d", "--name", "web", "--cgroups", "disabled", *SLEEP)
    told = rootless("update", "--restart", "always", "-m", "64m", "web", status=1).stderr
    assert "--memory cannot be enforced" in told
    assert policy(rootless, "web") == ("no", 0)
    rootless("update", "--restart", "sometimes", "-m", "64m", "web", status=1)
    rootless("rm", "-f", "web")
    rootless("run", "-d", "--rm", "--name", "once", *SLEEP)
    told = rootless("update", "--restart", "always", "--pids-limit", "50", "once", status=1).stderr
    assert "AutoRemove" in told
    assert inspected(rootless, "once")["HostConfig"]["PidsLimit"] != 50
    rootless("rm", "-f", "once")


@pytest.mark.parametrize("stopped", [True, False])
def test_two_at_once_lose_neither(rootless: Rootless, busybox_image: str, stopped: bool) -> None:
    rootless("run", "-d", "--name", "web", *SLEEP)
    if stopped:
        rootless("stop", "-t", "0", "web")
    # Limits of a container that runs take a cgroup with controllers: tests/vm. A stopped one keeps them for later.
    other = ["--cpus", "0.5"] if stopped else ["--restart", "unless-stopped"]
    for number in range(3):
        words = [["--restart", f"on-failure:{number + 2}"], other]
        both = [rootless.start("update", *each, "web") for each in words]
        for each in both:
            assert each.wait(60) == 0, each.stderr
    if stopped:
        assert policy(rootless, "web") == ("on-failure", 4)
        assert inspected(rootless, "web")["HostConfig"]["NanoCpus"] == 500_000_000
    else:
        assert policy(rootless, "web") in (("on-failure", 4), ("unless-stopped", 0))
    rootless("rm", "-f", "web")
