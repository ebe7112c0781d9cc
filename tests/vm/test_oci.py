"""rootless-oci on a real systemd host with cgroup v2: limits, scopes, devices, and Podman on its own defaults.

Commands take a second each here: one script asks for much, and what it says is looked at here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.machine import Machine
from tests.vm.oci_host import MIB, PODMAN, files, oci, podman, show, spec_of, statistics

LIMITS: dict[str, Any] = {
    "memory": {"limit": 100 * MIB, "swap": 150 * MIB, "reservation": 50 * MIB},
    "cpu": {"shares": 512, "quota": 50_000, "period": 200_000, "cpus": "1", "mems": "0"},
    "pids": {"limit": 30},
    "blockIO": {"weight": 500, "throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": MIB}]},
    "unified": {"memory.high": str(80 * MIB), "memory.oom.group": "1"},
}
FILES = "cgroup.procs memory.{max,low,high,swap.max,oom.group} cpu.{max,weight} cpuset.{cpus,mems} pids.max io.{max,bfq.weight}"
WRITTEN = {
    "memory.max": [str(100 * MIB)],
    "memory.low": [str(50 * MIB)],
    "memory.high": [str(80 * MIB)],
    "memory.swap.max": [str(50 * MIB)],
    "memory.oom.group": ["1"],
    "cpu.max": ["50000 200000"],
    "cpu.weight": ["20"],
    "cpuset.cpus": ["1"],
    "cpuset.mems": ["0"],
    "pids.max": ["30"],
    "io.max": [f"254:0 rbps=max wbps={MIB} riops=max wiops=max"],
    "io.bfq.weight": ["default 495"],
}


@pytest.fixture
def bfq(machine: Machine) -> Iterator[None]:
    """A disk that is shared by weights."""
    machine.run("root", "modprobe bfq; echo bfq >/sys/block/vdb/queue/scheduler")
    yield
    machine.run("root", "echo none >/sys/block/vdb/queue/scheduler")


@pytest.mark.differs
@pytest.mark.usefixtures("bfq")
def test_a_scope_with_all_limits(machine: Machine) -> None:
    """By systemd's words alone: the unit, what is in its files, daemon-reload, exec, pause, update, the end."""
    spec = spec_of("alice", "sleep", "1000", resources=LIMITS, cgroupsPath="user.slice:oci:all")
    shown = show("all", *FILES.split(), "../cpu.weight", "../io.bfq.weight")
    told = oci(machine, "alice", spec, f"up all; {shown}")
    found = files(told)
    (pid,) = found.pop("cgroup.procs")
    assert found == {**WRITTEN, "../cpu.weight": ["20"], "../io.bfq.weight": ["default 495"]}

    told = oci(
        machine, "alice", spec,
        """systemctl --user status oci-all.scope --no-pager | head -12; echo == tree; systemd-cgls --no-pager -l /user.slice
        cat /proc/self/cgroup; rootless-oci exec all cat /proc/self/cgroup
        rootless-oci exec all sh -c 'for i in $(seq 60); do sleep 9 & done' || echo refused
        rootless-oci kill --all all USR2; sleep 1; rootless-oci ps --format json all""",
    )  # fmt: skip
    assert "rootless-oci container all" in told
    assert "oci-all.scope" in told.partition("== tree")[2]
    assert "user-1000.slice/session-" in told, "exec came from a login outside of the scope"
    assert "\n0::/\n" in told
    assert "can't fork" in told, told
    assert told.endswith(f"[{pid}]\n"), "USR2 ended the others; init ignores what it has no handler for"

    changes = {"memory": {"limit": 90 * MIB}, "blockIO": {"weight": 100}, "unified": {"memory.high": "max"}}
    told = oci(
        machine, "alice", spec,
        f"""systemctl --user daemon-reload
        rootless-oci pause all; rootless-oci state all; cat $(cgroup all)/cgroup.events
        rootless-oci exec all true || echo paused
        rootless-oci resume all; cat $(cgroup all)/cgroup.events
        echo '{json.dumps(changes)}' | rootless-oci update -r - all
        rootless-oci update --cpu-share 1024 --cpu-quota 30000 --pids-limit 40 --memory-swap {120 * MIB} all
        rootless-oci update --cpuset-cpus 99 all || {shown}
        rootless-oci events --stats all
        rootless-oci delete all || rootless-oci delete --force all""",
    )  # fmt: skip
    assert '"paused"' in told
    assert "it is paused" in told
    assert told.count("frozen 1") == told.count("frozen 0") == 1
    assert "linux.resources.cpu.cpus: the kernel refuses" in told
    assert "cannot delete container all that is not stopped" in told
    found = files(told)
    assert found.pop("cgroup.procs") == [pid]
    changed = {"memory.max": [str(90 * MIB)], "memory.high": ["max"], "memory.swap.max": [str(30 * MIB)], "cpu.max": ["30000 200000"]}
    weights = {"cpu.weight": ["39"], "../cpu.weight": ["39"], "io.bfq.weight": ["default 91"], "../io.bfq.weight": ["default 91"]}
    assert found == {**WRITTEN, **changed, **weights, "pids.max": ["40"]}
    (stats,) = statistics(told)
    assert stats["memory"]["usage"]["limit"] == 90 * MIB
    assert 1 <= stats["pids"]["current"] <= stats["pids"]["limit"] == 40  # nobody has waited for the others
    assert stats["cpu"]["usage"]["total"] > 0
    assert stats["memory"]["swap"]["limit"] == 120 * MIB
    assert "blkio" in stats
    assert "hugetlb" not in stats, "which is not delegated"


@pytest.mark.differs
def test_without_a_word_of_systemd(machine: Machine) -> None:
    """A login may make no cgroup: limits bring a scope, and nothing is made for who asks for none. OOM
    kills are told, of the whole container too; what is too little memory to start is an error."""
    hog = "sleep 3; x=a; while :; do x=$x$x; done"
    spec = spec_of("alice", "sh", "-c", f"({hog}); sleep 1; {hog}", resources={"memory": {"limit": 40 * MIB, "swap": 40 * MIB}})
    told = oci(
        machine, "alice", spec,
        """up hog; cgroup hog
        rootless-oci events --interval 60s hog; rootless-oci state hog; rootless-oci delete hog""",
    )  # fmt: skip
    assert "/rootless-oci-hog.scope/container" in told
    assert told.count('{"type": "oom", "id": "hog"') == 2, told
    assert '"stopped"' in told
    spec = spec_of("alice", "cat", "/proc/self/cgroup")
    assert "/session-" in oci(machine, "alice", {**spec, "linux": {**spec["linux"], "namespaces": spec["linux"]["namespaces"][:-1]}},
                              "rootless-oci run --bundle . plain")  # fmt: skip
    spec["linux"]["resources"] = {"memory": {"limit": 1 << 14}}
    told = oci(machine, "alice", spec, "rootless-oci run --bundle . small", check=False)
    assert "linux.resources.memory.limit: is too little" in told


def test_what_cannot_be_had_is_an_error(machine: Machine) -> None:
    """A controller that is not delegated, a disabled manager, a bus that hangs or is not there."""
    spec = spec_of("alice", "true", resources={"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})
    told = oci(
        machine, "alice", spec,
        """rootless-oci run --bundle . a; echo status $?
        rootless-oci --cgroup-manager disabled run --bundle . a
        rootless-oci --cgroup-manager cgroupfs run --bundle . a
        python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind("deaf"); s.listen(9); time.sleep(60)' &
        until [ -S deaf ]; do sleep 0.1; done
        export DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/deaf
        rootless-oci --systemd-cgroup run --bundle . b
        kill %1; rm deaf""",
        check=False,
    )  # fmt: skip
    first = told.partition("status 1\n")[0]
    assert "linux.resources.hugepageLimits[0] cannot be enforced: the controller hugetlb is not delegated" in first
    assert "Delegate=cpu cpuset io memory pids hugetlb" in first
    assert told.count("linux.resources.hugepageLimits") == 3
    assert "cannot make the scope rootless-oci-b.scope: the user's D-Bus did not answer within 2 s" in told
    spec = spec_of("root", "true", cgroupsPath="/not/systemds")
    told = oci(
        machine, "root", spec,
        """rootless-oci --systemd-cgroup run --bundle . c
        sed -i s,/not/systemds,system.slice:oci:c, config.json
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere rootless-oci run --bundle . c""",
        check=False,
    )  # fmt: skip
    assert "config.json: linux.cgroupsPath: '/not/systemds' is not SLICE:PREFIX:NAME" in told
    assert "no D-Bus of the system: /nowhere: No such file" in told


@pytest.mark.differs
def test_podman_on_its_defaults(machine: Machine) -> None:
    """alice's Podman, cgroup manager systemd: it makes slices and scopes, and we the container's."""
    told = podman(
        machine, "alice",
        f"""box --pids-limit 50 --cpus 0.5 bb sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
        cgroup=/sys/fs/cgroup$(box_cgroup)
        echo "in $cgroup"; (cd $cgroup; grep -H . ./memory.max ./pids.max ./cpu.max)
        {PODMAN} exec box sh -c 'cat /proc/self/cgroup; exit 5' || echo "exec $?"
        {PODMAN} stats --no-stream --format '{{{{.MemUsage}}}} {{{{.PIDs}}}}' box
        {PODMAN} update --memory 80m --cpus 0.25 box; cat $cgroup/memory.max $cgroup/cpu.max
        {PODMAN} pause box; cat $cgroup/cgroup.events; {PODMAN} unpause box
        {PODMAN} stop box; {PODMAN} inspect --format '{{{{.State.Status}}}} {{{{.State.ExitCode}}}}' box
        {PODMAN} rm box; ls -d $cgroup || true""",
    )  # fmt: skip
    assert "/user.slice/libpod-" in told.partition("in ")[2].partition("\n")[0]
    assert files(told) == {"memory.max": [str(100 * MIB)], "pids.max": ["50"], "cpu.max": ["50000 100000"]}
    assert "0::/\nexec 5\n" in told
    assert "/ 104.9MB" in told
    assert f"{80 * MIB}\n25000 100000\n" in told
    assert "frozen 1" in told
    assert "exited 3\n" in told
    assert "No such file" in told
