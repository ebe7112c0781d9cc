"""Limits on a real systemd host with cgroup v2: they hold, and what cannot be held is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.machine import USERS, Machine

SPIN = "busybox sh -c 'while :; do :; done'"
HOG = "sh -c 'x=a; while :; do x=$x$x; done'"
MIB = 1 << 20
CONFIG = "~/.config/rootless/config.toml"


@pytest.fixture(autouse=True)
def _clean(vm: Machine) -> Iterator[None]:
    yield
    # A Python takes seconds here: none where there is nothing to remove.
    for user in USERS:
        vm.run(user, 'ids=$(ls ~/.local/share/rootless/containers); [ -z "$ids" ] || rootless rm -f $ids', check=False)
    left = vm.run("alice", "systemctl --user list-units --plain --no-legend 'rootless-*.scope'").stdout
    assert not left, f"scopes left behind: {left}"


def inspected(vm: Machine, name: str, user: str = "alice") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vm.run(user, f"rootless inspect {name}").stdout)[0]
    return found


def cgroup(vm: Machine, name: str) -> str:
    return str(inspected(vm, name)["HostConfig"]["Cgroup"])


def used_us(vm: Machine, *names: str) -> tuple[float, list[int]]:
    """The machine's clock and the processor time of each container's cgroup, read in one go."""
    files = " ".join(f"{cgroup(vm, name)}/cpu.stat" for name in names)
    words = vm.run("alice", f"cut -d' ' -f1 /proc/uptime; grep -h ^usage_usec {files}").stdout.split()
    return float(words[0]), [int(word) for word in words[2::2]]


@pytest.mark.differs
def test_by_name_outside_and_slash_inside(vm: Machine) -> None:
    vm.run("alice", "rootless run -d --name web busybox sleep 1000")
    assert vm.run("alice", "rootless exec web cat /proc/self/cgroup").stdout == "0::/\n"
    tree = vm.run("alice", "systemd-cgls --no-pager -l; systemctl --user status 'rootless-web-*' --no-pager").stdout
    assert "rootless-web-" in tree
    assert "rootless container web (busybox" in tree
    inside = vm.run("alice", "rootless exec web sh -c 'ls /sys/fs/cgroup; echo 1 > /sys/fs/cgroup/pids.max'", check=False)
    assert "memory.max" in inside.stdout
    assert "Read-only" in inside.stderr


def test_a_fork_bomb(vm: Machine) -> None:
    bomb = "(b() { b | b & }; b; while :; do b; done) & exec sleep 1000"
    vm.run("alice", f"rootless run -d --name bomb --pids-limit 100 busybox sh -c '{bomb}'")
    time.sleep(5)
    at_most = int(vm.run("alice", f"cat {cgroup(vm, 'bomb')}/pids.peak {cgroup(vm, 'bomb')}/pids.current").stdout.split()[0])
    assert 90 <= at_most <= 100
    vm.run("bob", "ls / >/dev/null")  # a new login, on an emulated processor
    vm.run("alice", "rootless rm -f bomb")


@pytest.mark.differs
def test_out_of_memory_is_told(vm: Machine) -> None:
    vm.run("root", "sysctl -q vm.overcommit_memory=1")
    try:
        done = vm.run("alice", "rootless run --name py -m 100m --rootfs / python3 -c '[None] * int(1e9)'", check=False)
    finally:
        vm.run("root", "sysctl -q vm.overcommit_memory=0")
    assert done.returncode == 137
    assert "out of memory" in done.stderr
    state = inspected(vm, "py")["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert "out of memory" in vm.run("alice", "rootless logs py 2>&1").stdout
    assert " container oom " in vm.run("alice", "rootless events --since 5m --until 0s --filter event=oom").stdout


def test_a_victim_that_is_not_pid_1(vm: Machine) -> None:
    """It is told while the container lives on."""
    shell = HOG.replace("$", "\\$").replace("'", '"')
    vm.run("alice", f"rootless run -d --name some -m 64m busybox sh -c '{shell}; sleep 1000'")
    for _ in range(60):
        if "out of memory" in vm.run("alice", "rootless logs some 2>&1").stdout:
            break
        time.sleep(1)
    else:
        pytest.fail("nobody was told")
    assert inspected(vm, "some")["State"]["Running"]
    vm.run("alice", "rootless kill some")
    assert inspected(vm, "some")["State"]["OOMKilled"]


def test_half_a_processor(vm: Machine) -> None:
    vm.run("alice", f"rootless run -d --name half --cpus 0.5 {SPIN}")
    begin, (before,) = used_us(vm, "half")
    throttled = f"until grep -q 'nr_throttled [1-9]' {cgroup(vm, 'half')}/cpu.stat; do sleep 1; done"
    vm.run("alice", f"cat {cgroup(vm, 'half')}/cpu.max; {throttled}; sleep 5")
    end, (after,) = used_us(vm, "half")
    # No more than half, and a period; how much less is the machine's affair.
    assert (after - before) / 1e6 <= (end - begin) * 0.5 + 0.2
    vm.run("alice", "rootless update --cpus 0.25 -m 64m half")
    limits = vm.run("alice", f"cat {cgroup(vm, 'half')}/cpu.max {cgroup(vm, 'half')}/memory.max").stdout
    assert limits.split() == ["25000", "100000", str(64 * MIB)]
    assert inspected(vm, "half")["HostConfig"]["NanoCpus"] == 250_000_000


def test_shares_of_one_processor(vm: Machine) -> None:
    """256 to 1024 is 1 to 4, though systemd has each container in a scope of its own."""
    for name, shares in (("small", 256), ("large", 1024)):
        vm.run("alice", f"rootless run -d --name {name} --cpu-shares {shares} --cpuset-cpus 0 {SPIN}")
    weights = [int(vm.run("alice", f"cat {cgroup(vm, name)}/cpu.weight").stdout) for name in ("small", "large")]
    assert weights[1] / weights[0] == pytest.approx(4, rel=0.06)
    _, (small, large) = used_us(vm, "small", "large")
    vm.run("alice", "sleep 10")
    _, (small_after, large_after) = used_us(vm, "small", "large")
    # In a slice for each they would have as much as the other; the exact share is the scheduler's affair.
    assert large_after - large > 2 * (small_after - small)


def test_users_do_not_notice_each_other(vm: Machine) -> None:
    vm.run("bob", "rootless run -d --name calm -m 100m busybox sleep 1000")
    hog = vm.run("alice", f"rootless run --rm -m 100m busybox {HOG}", check=False)
    assert hog.returncode == 137
    calm = inspected(vm, "calm", "bob")["State"]
    assert calm["Running"]
    assert vm.run("bob", "rootless exec calm echo here").stdout == "here\n"
    assert vm.run("carol", "rootless run --rm -m 64m busybox echo carol, too").stdout == "carol, too\n"


def test_pause_and_stats(vm: Machine) -> None:
    vm.run("alice", f"rootless run -d --name busy -m 200m {SPIN}; rootless pause busy")
    assert "frozen 1" in vm.run("alice", f"cat {cgroup(vm, 'busy')}/cgroup.events").stdout
    vm.run("alice", "rootless unpause busy")
    found = json.loads(vm.run("alice", "rootless stats --no-stream --format json busy").stdout)
    assert found["MemUsage"].endswith("/ 200MiB")
    assert found["PIDs"] == "1"
    assert float(found["CPUPerc"].rstrip("%")) > 0


def test_a_bus_that_hangs(vm: Machine) -> None:
    """Two seconds, then the next rung: without a cgroup, or the reason why it has to be one."""
    script = """
    python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind("/tmp/deaf"); s.listen(9); time.sleep(60)' &
    for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /tmp/deaf ] && break; sleep 1; done
    export DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/deaf
    rootless run --rm busybox echo ran
    rootless run --rm -m 100m busybox echo ran 2>&1 || echo status $?
    kill %1; rm /tmp/deaf
    """
    told = vm.run("alice", script).stdout
    assert told.startswith("ran\n")
    assert "did not answer within 2 s" in told
    assert told.endswith("status 125\n")


def test_a_controller_that_is_missing(vm: Machine) -> None:
    """bob's systemd is given no cpu controller: the line that an administrator must run. (The empty
    assignment takes back what systemd's own user@.service gives.)"""
    bob = int(vm.run("bob", "id -u").stdout)
    unit = f"/run/systemd/system/user@{bob}.service.d"
    again = f"systemctl daemon-reload; systemctl stop user@{bob}.service"
    vm.logout("bob")
    lines = r"[Service]\nDelegate=\nDelegate=pids memory\n"
    vm.run("root", f"mkdir -p {unit}; printf '{lines}' >{unit}/zz.conf; {again}")
    try:
        service = f"/sys/fs/cgroup/user.slice/user-{bob}.slice/user@{bob}.service"
        assert "cpu" not in vm.run("bob", f"cat {service}/cgroup.controllers").stdout.split()
        done = vm.run("bob", "rootless run --rm --cpus 1 busybox true", check=False)
        assert done.returncode == 125
        assert "--cpus cannot be enforced" in done.stderr
        assert "delegate.conf" in done.stderr
        # Where bob has said that he would rather have it run: with the limit that there is, and a word on the other.
        vm.run("bob", f"umask 022; mkdir -p $(dirname {CONFIG}); echo 'limits = \"warn\"' >{CONFIG}")
        done = vm.run("bob", "rootless run --rm --cpus 1 -m 64m busybox cat /sys/fs/cgroup/memory.max")
        assert done.stdout == f"{64 * MIB}\n"
        assert "WARNING: --cpus cannot be enforced" in done.stderr
        assert "--memory" not in done.stderr
    finally:
        vm.run("bob", f"rm -f {CONFIG}")
        vm.logout("bob")
        vm.run("root", f"rm -r {unit}; {again}")


def test_updates_at_once(vm: Machine) -> None:
    """Each changes one thing, and none takes back what another has changed."""
    vm.run("alice", "rootless run -d --name busy1 busybox sleep 1000")
    options = ("-m 64m", "--cpus 0.5", "--pids-limit 77", "--cpu-shares 300", "--restart on-failure:3")
    vm.run("alice", "".join(f"rootless update {each} busy1 & " for each in options) + "wait")
    found = inspected(vm, "busy1")["HostConfig"]
    assert (found["Memory"], found["NanoCpus"], found["PidsLimit"], found["CpuShares"]) == (64 * MIB, 500_000_000, 77, 300)
    assert found["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert found["Limits"]["memory"] == "cgroup memory.max"
    assert found["Limits"]["cpus"] == "cgroup cpu.max"
    files = " ".join(f"{cgroup(vm, 'busy1')}/{name}" for name in ("memory.max", "cpu.max", "pids.max", "cpu.weight"))
    assert vm.run("alice", f"cat {files}").stdout.split() == [str(64 * MIB), "50000", "100000", "77", "12"]
