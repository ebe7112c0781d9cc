"""What becomes of a pod when something in it ends: exit policies, restart policies, what killed commands leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.pods import Pods
from tests.harness.processes import wait_until
from tests.need import need_program


def test_exit_policy_stop(pods: Pods) -> None:
    """The infra goes with the last container, in whatever way that ends; one that was never started has not ended."""
    pods.create("app", "--network", "none", "--exit-policy", "stop")
    pods.run("app", "one", command=("sh", "-c", "until [ -e /dev/shm/go ]; do sleep 0.05; done"))
    pods.run("app", "two", "--rm")
    pods.inside("one", "touch", "/dev/shm/go")
    wait_until(lambda: pods.states("app").get("one") == "exited", "the end of one")
    assert pods.states("app") == {"infra": "running", "one": "exited", "two": "running"}
    pods.rootless("kill", "two")
    wait_until(lambda: pods.states("app") == {"infra": "exited", "one": "exited"}, "the end of all")
    pods.rootless("pod", "start", "app")
    pods.rootless("rm", "-f", "one")
    # `run` that stays, and removes its container itself.
    assert pods.rootless("run", "--rm", "--pod", "app", pods.image, "echo", "here").stdout == "here\n"
    wait_until(lambda: pods.states("app") == {"infra": "exited"}, "the end after the last")
    pods.run("app", "again")
    pods.rootless("pod", "restart", "app")
    assert pods.states("app") == {"infra": "running", "again": "running"}, "a restart is no end"


def test_exit_policy_continue(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    pods.rootless("run", "--rm", "--pod", "app", pods.image, "true")
    assert pods.states("app") == {"infra": "running"}
    assert "invalid pod exit policy" in pods.rootless("pod", "create", "--exit-policy", "x", status=125).stderr


def test_restart_policy(pods: Pods) -> None:
    """That of the pod is its containers', unless they ask for one. An infra that comes back has all of them in its
    namespaces again."""
    pods.create("app", "--network", "none", "--restart", "always")
    pods.run("app", "one", "--restart", "no")
    pods.run("app", "two")
    (one, two, infra) = json.loads(pods.rootless("inspect", "one", "two", pods.infra("app")).stdout)
    policies = [each["HostConfig"]["RestartPolicy"]["Name"] for each in (one, two, infra)]
    assert policies == ["no", "always", "always"]
    os.kill(infra["State"]["Pid"], signal.SIGKILL)
    wait_until(lambda: set(pods.states("app").values()) == {"running"}
               and pods.state("one")["Pid"] != one["State"]["Pid"]
               and pods.state("two")["Pid"] != two["State"]["Pid"], "all of them anew")  # fmt: skip
    assert pods.state(pods.infra("app"))["Pid"] != infra["State"]["Pid"]
    links = {pods.inside(name, "readlink", "/proc/self/ns/net") for name in ("one", "two")}
    assert len(links) == 1
    pods.rootless("pod", "stop", "-t", "0", "app")
    assert set(pods.states("app").values()) == {"exited"}


def test_restart_of_a_container(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    script = "[ -e /dev/shm/second ] && exec sleep 1000; touch /dev/shm/second; exit 1"
    pods.run("app", "one", "--restart", "on-failure", command=("sh", "-c", script))
    second = ("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "one")
    wait_until(lambda: pods.rootless(*second).lines == ["1 running"], "the second run")
    assert pods.status("app") == "Running"


@pytest.mark.parametrize("call", ["mkdirat", "mkdir", "symlink", "rename", "fsync"])
def test_create_killed(pods: Pods, call: str) -> None:
    """Whatever instant it was killed at: the next one makes the pod of that name, and nothing of the first is left."""
    strace = need_program("strace")
    for number in range(1, 8):
        done = subprocess.run(
            [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}",
             *pods.rootless.argv, "pod", "create", "--network", "none", "app"],
            env=pods.rootless.environment, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        listed = pods.rootless("pod", "ps", "--format", "{{.Name}}").lines
        assert listed in ([], ["app"])
        if not listed:
            pods.create("app", "--network", "none")
        assert pods.states("app") == {"infra": "created"}
        pods.rootless("pod", "rm", "app")
        assert left_behind(pods) == []
        if done.returncode == 0:
            break


@pytest.mark.parametrize("call", ["rename", "unlink", "rmdir"])
def test_rm_killed(pods: Pods, call: str) -> None:
    """The pod is there until all of it has gone, so the same command goes on."""
    strace = need_program("strace")
    for number in (1, 2, 3, 5):
        pods.create("app", "--network", "none")
        pods.rootless("create", "--pod", "app", "--name", "one", pods.image, "true")
        subprocess.run(
            [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}",
             *pods.rootless.argv, "pod", "rm", "app"],
            env=pods.rootless.environment, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        pods.rootless("pod", "rm", "app", status=None)
        pods.create("app", "--network", "none")
        pods.rootless("pod", "rm", "app")
        assert left_behind(pods) == []


def left_behind(pods: Pods) -> list[Path]:
    """What of containers, pods and names is in the store; a command that makes a container has swept it."""
    pods.rootless("run", "--rm", "--network", "none", pods.image, "true")
    root = pods.rootless.root
    return [path for name in ("containers", "pods", "names") for path in (root / name).glob("*") if path.is_dir() or path.is_symlink()]
