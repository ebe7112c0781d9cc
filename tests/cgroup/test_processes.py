"""--pids-limit without any cgroup: the container's user namespace counts (Linux 5.14)."""

from __future__ import annotations

import json

import pytest

from rootless.cgroup.create import counts_by_namespace
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.need import need

# A shell that cannot fork ends: the first process is none that has to.
BOMB = "(b() { b | b & }; b; while :; do b; done) & exec sleep 300"
NO_CGROUP = ("--cgroups", "disabled")


@pytest.fixture(autouse=True)
def counted() -> None:
    need(counts_by_namespace(), "RLIMIT_NPROC counts per user namespace only since Linux 5.14")


def pids(rootless: Rootless, name: str) -> int:
    return int(json.loads(rootless("stats", "--no-stream", "--format", "json", name).stdout)["PIDs"])


def test_a_fork_bomb(rootless: Rootless, busybox_image: str) -> None:
    """It fills its limit and not the machine: others start, and it can be killed."""
    rootless("run", "-d", "--name", "bomb", *NO_CGROUP, "--pids-limit", "100", "busybox", "sh", "-c", BOMB)
    wait_until(lambda: pids(rootless, "bomb") >= 90, "its limit")
    assert [count for count in (pids(rootless, "bomb") for _ in range(3)) if count > 100] == []
    rootless("run", "--rm", *NO_CGROUP, "busybox", "true")
    rootless("rm", "-f", "bomb")


def test_the_bound_is_exact(rootless: Rootless, busybox_image: str) -> None:
    script = "i=0; while [ $i -lt 19 ]; do sleep 300 & i=$((i+1)); done; echo full; wait"
    rootless("run", "-d", "--name", "full", *NO_CGROUP, "--pids-limit", "20", "busybox", "sh", "-c", script)
    wait_until(lambda: rootless("logs", "full").stdout == "full\n", "all processes")
    assert pids(rootless, "full") == 20
    assert "reached its limit" in rootless("exec", "full", "true", status=1).stderr
    rootless("rm", "-f", "full")


def test_who_holds_it(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "held", *NO_CGROUP, "busybox", "sh", "-c", "ulimit -u; sleep 300")
    found = json.loads(rootless("inspect", "held").stdout)[0]["HostConfig"]
    assert found["PidsLimit"] == 2048
    assert found["Limits"] == {"pids-limit": "user namespace (RLIMIT_NPROC)"}
    # Unlike an rlimit of its own, the bound is not taken from what the container may see and set.
    assert rootless("logs", "held").stdout.strip() != "2048"
    told = rootless("update", "--pids-limit", "10", "held", status=1).stderr
    assert "cannot be changed here" in told
    rootless("stop", "-t", "0", "held")
    rootless("update", "--pids-limit", "10", "held")
    assert json.loads(rootless("inspect", "held").stdout)[0]["HostConfig"]["PidsLimit"] == 10
    rootless("rm", "held")


def test_two_do_not_share_a_bound(rootless: Rootless, busybox_image: str) -> None:
    script = "i=0; while [ $i -lt 19 ]; do sleep 300 & i=$((i+1)); done; wait"
    for name in ("left", "right"):
        rootless("run", "-d", "--name", name, *NO_CGROUP, "--pids-limit", "20", "busybox", "sh", "-c", script)
    wait_until(lambda: [pids(rootless, "left"), pids(rootless, "right")] == [20, 20], "all processes of both")
    rootless("rm", "-f", "left", "right")
