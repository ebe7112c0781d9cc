"""A delegated cgroup v2 without controllers, as hybrid hosts have it: freeze, kill, join, removal."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from rootless.cgroup import subtrees
from tests.harness.command import Rootless

SLEEP = ("busybox", "sleep", "300")


def inspected(rootless: Rootless, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(rootless("inspect", name).stdout)[0]
    return found


def cgroup_of(rootless: Rootless, name: str) -> Path:
    path = Path(inspected(rootless, name)["HostConfig"]["Cgroup"])
    assert path.is_dir()
    return path


def test_a_cgroup_of_its_own(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "own", *SLEEP)
    path = cgroup_of(rootless, "own")
    assert path.parent == delegated
    assert path.name.startswith("rootless-own-")
    assert "0::/\n" in rootless("exec", "own", "cat", "/proc/self/cgroup").stdout
    assert "0::/\n" in rootless("run", "--rm", "busybox", "cat", "/proc/self/cgroup").stdout
    rootless("rm", "-f", "own")
    assert not path.exists()


def test_it_is_seen_inside(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    """Also where the host has v1 beside it: the container's own part, read-only."""
    look = "stat -f -c %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.events; ls -d /sys/fs/cgroup/*/; mkdir /sys/fs/cgroup/x"
    done = rootless("run", "--rm", "busybox", "sh", "-c", look, status=None)
    assert "populated 1" in done.stdout
    assert "Read-only file system" in done.stderr
    assert "login" not in done.stdout  # nothing of what is above or beside it
    of_the_host = rootless("run", "--rm", "--cgroupns", "host", "busybox", "ls", "-A", "/sys/fs/cgroup").stdout
    if subtrees.mount_point() == subtrees.HYBRID:
        assert of_the_host == ""


def test_exec_is_in_it(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "joined", *SLEEP)
    rootless("exec", "-d", "joined", "sleep", "301")
    assert len(_pids(cgroup_of(rootless, "joined"))) == 2
    rootless("rm", "-f", "joined")


def _pids(path: Path) -> list[str]:
    return (path / "cgroup.procs").read_text().split()


def test_pause_by_the_freezer(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "ice", *SLEEP)
    path = cgroup_of(rootless, "ice")
    assert inspected(rootless, "ice")["HostConfig"]["Freezer"] == "cgroup.freeze"
    rootless("pause", "ice")
    assert "frozen 1" in (path / "cgroup.events").read_text()
    rootless("unpause", "ice")
    assert "frozen 0" in (path / "cgroup.events").read_text()
    rootless("pause", "ice")
    rootless("rm", "-f", "ice")  # a frozen one, too
    assert not path.exists()


def test_nothing_outlives_pid_1(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    """With the host's pid namespace the end of PID 1 ends nobody else; the cgroup does."""
    rootless("run", "-d", "--name", "leader", "--pid", "host", "busybox", "sh", "-c",
             "setsid sleep 302 & exec sleep 303")  # fmt: skip
    path = cgroup_of(rootless, "leader")
    _wait_until(lambda: len(_pids(path)) == 2)
    others = [int(pid) for pid in _pids(path)]
    rootless("kill", "leader")
    _wait_until(lambda: not path.exists())
    assert not [pid for pid in others if os.path.exists(f"/proc/{pid}/exe")]
    rootless("rm", "leader")


def _wait_until(true: Any, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_monitor_leaves_nothing(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    """Its container dies with it, and the next start sweeps the cgroup."""
    rootless("run", "-d", "--name", "lost", *SLEEP)
    path = cgroup_of(rootless, "lost")
    os.kill(inspected(rootless, "lost")["State"]["MonitorPid"], signal.SIGKILL)
    _wait_until(lambda: "populated 0" in (path / "cgroup.events").read_text())
    rootless("run", "--rm", "busybox", "true")
    assert not path.exists()
    rootless("rm", "-f", "lost")


def test_a_cgroup_parent(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "below", "--cgroup-parent", "team/a", *SLEEP)
    assert cgroup_of(rootless, "below").parent == delegated / "team/a"
    rootless("rm", "-f", "below")
    (delegated / "team/a").rmdir()
    (delegated / "team").rmdir()
    for outside in ("../x", "/", "/init.scope", "a/../../x"):
        told = rootless("run", "--rm", "--cgroup-parent", outside, "busybox", "true", status=125).stderr
        assert "outside of the subtree" in told


def test_without_one(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "none", "--cgroups", "disabled", *SLEEP)
    found = inspected(rootless, "none")["HostConfig"]
    assert (found["Cgroup"], found["Freezer"]) == ("", "SIGSTOP")
    rootless("rm", "-f", "none")


def test_no_controller_no_lie(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    """What this subtree cannot limit is refused, with the administrator's line, and leaves nothing."""
    if (delegated / "memory.max").exists():
        return  # a host whose subtree has them: tests/vm
    told = rootless("run", "--rm", "-m", "100m", "busybox", "true", status=125).stderr
    assert "--memory cannot be enforced" in told
    assert "administrator" in told


def test_removed_under_us(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "robbed", *SLEEP)
    path = cgroup_of(rootless, "robbed")
    for pid in _pids(path):
        (delegated / "login/cgroup.procs").write_text(pid)
    path.rmdir()
    assert "cgroup is gone" in rootless("pause", "robbed", status=1).stderr
    assert "cgroup is gone" in rootless("exec", "robbed", "true", status=126).stderr
    before = inspected(rootless, "robbed")["HostConfig"]
    assert "cgroup is gone" in rootless("update", "-m", "64m", "--restart", "always", "robbed", status=1).stderr
    assert inspected(rootless, "robbed")["HostConfig"] == before
    assert "robbed" in rootless("stats", "--no-stream", "robbed").stdout
    assert "sleep 300" in rootless("top", "robbed").stdout
    rootless("stop", "-t", "0", "robbed")
    rootless("rm", "robbed")
