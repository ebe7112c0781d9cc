"""What a host with systemd and logins shows: installed by pip, found fine, and users kept apart."""

from __future__ import annotations

from tests.vm.machine import Machine


def test_systemd_and_only_cgroup_v2(vm: Machine) -> None:
    told = vm.run("alice", "ps -p 1 -o comm=; stat -fc %T /sys/fs/cgroup; cat /proc/self/cgroup").stdout
    assert told.splitlines()[:2] == ["systemd", "cgroup2fs"]
    assert "/user.slice/user-1000.slice/session-" in told
