"""rootless-oci on a real systemd host with cgroup v2: limits, scopes, devices, and Podman on its own defaults.

Commands take a second each here: one script asks for much, and what it says is looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oci.bundles import rootless_spec
from tests.vm.machine import Machine

MIB = 1 << 20
ROOTFS = "/srv/oci/rootfs"
MAKE_ROOTFS = f"""set -e
[ -e {ROOTFS}.tar ] && exit
mkdir -p {ROOTFS}; cd {ROOTFS}; mkdir -p bin etc proc sys dev tmp
cp /bin/busybox bin; bin/busybox --install -s bin; for name in bin/*; do [ $name = bin/busybox ] || ln -sf busybox $name; done
echo root:x:0:0:root:/:/bin/sh >etc/passwd
tar -cf {ROOTFS}.tar .
"""
# `up NAME [OPTION...]`: create and start; a container's streams are not ours, which would have no end.
PRELUDE = """
export PATH=/home/alice/venv/bin:$PATH
mkdir -p ~/oci; cd ~/oci; cat >config.json
up() { rootless-oci "${@:2}" create --bundle ~/oci "$1" </dev/null >out 2>&1 && rootless-oci start "$1" || { cat out; false; }; }
cgroup() { echo /sys/fs/cgroup$(cut -d: -f3 /proc/$(rootless-oci state "$1" | grep -o '"pid": [0-9]*' | cut -c8-)/cgroup); }
"""
PODMAN = "podman --runtime /home/alice/venv/bin/rootless-oci"


@pytest.fixture(autouse=True)
def machine(vm: Machine) -> Iterator[Machine]:
    """`vm` with a root file system, for bundles and as an archive; no container is left, nor a scope of one."""
    vm.run("root", MAKE_ROOTFS)
    yield vm
    for user, flag in (("alice", "--user"), ("root", "--system")):
        left = vm.run(
            user,
            f"""systemctl {flag} list-units --plain --no-legend 'oci-*.scope' 'libpod-*.scope' 'rootless-oci-*.scope'
            PATH=/home/alice/venv/bin:$PATH; for name in $(rootless-oci list -q); do
                echo "container $name"; rootless-oci delete --force $name
            done""",
        ).stdout
        assert not left, f"left behind by {user}: {left}"


def spec_of(user: str, *args: str, **linux: Any) -> dict[str, Any]:
    """A configuration for alice, whose container has her one id; for root one without a user namespace."""
    spec = rootless_spec(*args)
    spec["root"] = {"path": ROOTFS, "readonly": True}
    spec["linux"]["namespaces"].append({"type": "cgroup"})
    for kind in ("uid", "gid"):
        spec["linux"][f"{kind}Mappings"] = [{"containerID": 0, "hostID": 1000, "size": 1}]
    if user == "root":
        del spec["linux"]["uidMappings"], spec["linux"]["gidMappings"]
        spec["linux"]["namespaces"].remove({"type": "user"})
    spec["linux"] |= linux
    return spec


def oci(machine: Machine, user: str, spec: dict[str, Any], script: str, *, check: bool = True) -> str:
    """What the script says, stderr included; the bundle is in ~/oci."""
    done = machine.run(user, f"{PRELUDE}{'set -e' if check else ''}\nexec 2>&1\n{script}", stdin=json.dumps(spec), check=check)
    return done.stdout


def files(told: str) -> dict[str, list[str]]:
    """The lines of `grep -H . FILE...`, by the file's name (the last two parts of a path with `..`)."""
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.startswith(("./", "../")):
            found.setdefault(name.removeprefix("./"), []).append(value)
    return found


LIMITS: dict[str, Any] = {
    "memory": {"limit": 100 * MIB, "swap": 150 * MIB, "reservation": 50 * MIB},
    "cpu": {"shares": 512, "quota": 50_000, "period": 200_000, "cpus": "1", "mems": "0"},
    "pids": {"limit": 30},
    "blockIO": {"weight": 500, "throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": MIB}]},
    "unified": {"memory.high": str(80 * MIB), "memory.oom.group": "1"},
}
SHOW = "cgroup.procs memory.{max,low,high,swap.max,oom.group} cpu.{max,weight} cpuset.{cpus,mems} pids.max io.{max,bfq.weight}"
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


@pytest.mark.usefixtures("bfq")
def test_a_scope_with_all_limits(machine: Machine) -> None:
    """By systemd's words alone: the unit, what is in its files, daemon-reload, exec, pause, update, the end."""
    spec = spec_of("alice", "sleep", "1000", resources=LIMITS, cgroupsPath="user.slice:oci:all")
    show = f"cd $(cgroup all); grep -H . {' '.join('./' + word for word in SHOW.split())} ../cpu.weight ../io.bfq.weight; cd ~/oci"
    told = oci(machine, "alice", spec, f"up all; {show}")
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
        rootless-oci update --cpuset-cpus 99 all || {show}
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
    (stats,) = (json.loads(line)["data"] for line in told.splitlines() if line.startswith('{"type": "stats"'))
    assert stats["memory"]["usage"]["limit"] == 90 * MIB
    assert 1 <= stats["pids"]["current"] <= stats["pids"]["limit"] == 40  # nobody has waited for the others
    assert stats["cpu"]["usage"]["total"] > 0


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
    spec["linux"]["resources"] = {"memory": {"limit": 1 << 18}}
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
        SECONDS=0; rootless-oci --systemd-cgroup run --bundle . b; echo seconds $SECONDS
        kill %1; rm deaf""",
        check=False,
    )  # fmt: skip
    first = told.partition("status 1\n")[0]
    assert "linux.resources.hugepageLimits[0] cannot be enforced: the controller hugetlb is not given" in first
    assert "Delegate=cpu cpuset io memory pids hugetlb" in first
    assert told.count("linux.resources.hugepageLimits") == 3
    assert "cannot make the scope rootless-oci-b.scope: the user's D-Bus did not answer within 2 s" in told
    assert int(told.split("seconds ")[1].split()[0]) <= 6
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


def test_podman_on_its_defaults(machine: Machine) -> None:
    """alice's Podman, cgroup manager systemd: it makes slices and scopes, and we the container's."""
    told = machine.run(
        "alice",
        f"""exec 2>&1; set -e
        podman import -q {ROOTFS}.tar bb
        {PODMAN} run -d --name box --network none --memory 100m --pids-limit 50 --cpus 0.5 \
            bb sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
        cgroup=/sys/fs/cgroup$(cut -d: -f3 /proc/$({PODMAN} inspect --format '{{{{.State.Pid}}}}' box)/cgroup)
        echo "in $cgroup"; (cd $cgroup; grep -H . ./memory.max ./pids.max ./cpu.max)
        {PODMAN} exec box sh -c 'cat /proc/self/cgroup; exit 5' || echo "exec $?"
        {PODMAN} stats --no-stream --format '{{{{.MemUsage}}}} {{{{.PIDs}}}}' box
        {PODMAN} update --memory 80m --cpus 0.25 box; cat $cgroup/memory.max $cgroup/cpu.max
        {PODMAN} pause box; cat $cgroup/cgroup.events; {PODMAN} unpause box
        {PODMAN} stop box; {PODMAN} inspect --format '{{{{.State.Status}}}} {{{{.State.ExitCode}}}}' box
        {PODMAN} rm box; ls -d $cgroup || true
        """,
    ).stdout  # fmt: skip
    assert "/user.slice/libpod-" in told.partition("in ")[2].partition("\n")[0]
    assert files(told) == {"memory.max": [str(100 * MIB)], "pids.max": ["50"], "cpu.max": ["50000 100000"]}
    assert "0::/\nexec 5\n" in told
    assert "/ 104.9MB" in told
    assert f"{80 * MIB}\n25000 100000\n" in told
    assert "frozen 1" in told
    assert "exited 3\n" in told
    assert "No such file" in told


# --- real root ---------------------------------------------------------------------------------


def test_real_root_gets_what_is_asked_and_no_more(machine: Machine) -> None:
    """No user namespace, the capabilities of the configuration, a filter if there is one, limits and hooks."""
    capabilities = ["CAP_KILL", "CAP_MKNOD"]
    spec = spec_of("root", "sh", "-c", "cat /proc/self/uid_map /proc/self/status; exec sleep 1000", cgroupsPath="/oci/one")
    spec["linux"]["resources"] = {"pids": {"limit": 20}, "memory": {"limit": 50 * MIB}}
    spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    spec["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), capabilities)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "grep -o '\"status\": \"[a-z]*' >>/tmp/hooks"]}
    spec["hooks"] = {point: [hook] for point in ("createRuntime", "poststart", "poststop")}
    told = oci(
        machine, "root", spec,
        """rm -f /tmp/hooks; up one; for i in $(seq 50); do grep -q Seccomp: out && break; sleep 0.1; done; cat out
        cd $(cgroup one); pwd; grep -H . ./pids.max ./memory.max ./cgroup.procs; cd ~/oci
        rootless-oci exec --cap CAP_CHOWN one grep -E 'Cap|NoNew|Seccomp:' /proc/self/status
        rootless-oci kill one KILL; sleep 1; rootless-oci delete one; cat /tmp/hooks; ls -d /sys/fs/cgroup/oci/one || true""",
    )  # fmt: skip
    first, second = (dict(line.split(":\t", 1) for line in part.splitlines() if ":\t" in line)
                     for part in told.split("/sys/fs/cgroup/oci/one\n", 1))  # fmt: skip
    kill, mknod, chown = 1 << 5, 1 << 27, 1 << 0
    for status, wanted in ((first, kill | mknod), (second, kill | mknod | chown)):
        assert {name: int(status[name], 16) for name in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")} == {
            "CapBnd": wanted, "CapEff": wanted, "CapPrm": wanted, "CapInh": 0, "CapAmb": 0,
        }  # fmt: skip
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert told.split()[:3] == ["0", "0", "4294967295"]
    assert first["Uid"].split() == ["0"] * 4
    found = files(told)
    assert len(found.pop("cgroup.procs")) == 1
    assert found == {"pids.max": ["20"], "memory.max": [str(50 * MIB)]}
    assert re.findall('"status": "([a-z]+)\n', told) == ["creating", "running", "stopped"]
    assert "No such file" in told


def test_real_roots_devices(machine: Machine) -> None:
    """Nodes of every kind are there to be opened; the program on the cgroup decides, and `update` changes it."""
    script = "\n".join(
        (
            "cd /dev; mknod own c 1 3 && echo made null; mknod kmsg c 1 11 || echo no kmsg; mknod disk b 254 0 || echo no disk",
            "head -c 512 vdb | wc -c; (echo >vdb) 2>/dev/null || echo not written; head -c 1 /dev/urandom | wc -c",
            "echo >own && echo written; while [ ! -e /tmp/go ]; do sleep 0.1; done; head -c 512 vdb | wc -c",
            "mknod kmsg c 1 11 && echo made kmsg; (echo >urandom) 2>/dev/null || echo no entropy",
        )
    )
    nodes = ["CAP_MKNOD"]
    spec = spec_of("root", "sh", "-c", script, cgroupsPath="system.slice:oci:dev")
    spec["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), nodes)
    spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    # Made by the runtime, for whom the rules do not hold yet.
    spec["linux"]["devices"] = [{"path": "/dev/vdb", "type": "b", "major": 254, "minor": 16, "fileMode": 0o600}]
    deny = {"allow": False, "access": "rwm"}
    spec["linux"]["resources"] = {
        "devices": [deny, {"allow": True, "type": "b", "major": 254, "minor": 16, "access": "r"}]
    }
    changed = {"devices": [deny, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "m"},
                           {"allow": False, "type": "c", "major": 1, "minor": 9, "access": "w"}]}  # fmt: skip
    told = oci(
        machine, "root", spec,
        f"""up dev; until grep -q ^written$ out; do sleep 0.2; done; systemctl status oci-dev.scope --no-pager | head -3
        echo '{json.dumps(changed)}' | rootless-oci update -r - dev
        rootless-oci exec dev touch /tmp/go; sleep 2; cat out; rootless-oci delete --force dev""",
    )  # fmt: skip
    assert "rootless-oci container dev" in told
    said = [line for line in told.splitlines() if ": " not in line]
    at = said.index("made null")
    assert said[at:] == ["made null", "no kmsg", "no disk", "512", "not written", "1", "written", "0", "made kmsg", "no entropy"]


def test_a_cgroup_that_the_container_may_divide(machine: Machine) -> None:
    """With namespaces of its own and a cgroup that is mounted writable it belongs to the container's root."""
    linux = spec_of("alice")["linux"]
    maps = {f"{kind}Mappings": [{"containerID": 0, "hostID": 100000, "size": 65536}] for kind in ("uid", "gid")}
    script = "stat -c %u /sys/fs/cgroup /sys/fs/cgroup/pids.max; mkdir /sys/fs/cgroup/own && echo divided"
    spec = spec_of("root", "sh", "-c", script, **maps, namespaces=linux["namespaces"], cgroupsPath="system.slice:oci:own")
    spec["mounts"] += [
        {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev"]},
    ]
    assert oci(machine, "root", spec, "rootless-oci run --bundle . own").split() == ["0", "65534", "divided"]
    spec["mounts"][-1]["options"].append("ro")
    told = oci(machine, "root", spec, "rootless-oci run --bundle . own", check=False)
    assert told.split()[:2] == ["65534", "65534"]
    assert "Read-only" in told


def test_podman_as_real_root(machine: Machine) -> None:
    told = machine.run(
        "root",
        f"""exec 2>&1; set -e
        podman import -q {ROOTFS}.tar bb
        {PODMAN} run -d --name box --network none --memory 100m --device /dev/vdb:/dev/vdb:r --cap-add mknod bb sleep 1000
        cat /proc/$({PODMAN} inspect --format '{{{{.State.Pid}}}}' box)/cgroup
        {PODMAN} exec box sh -c '
            cat /proc/self/uid_map; grep -E "CapBnd|Seccomp:" /proc/self/status; head -c 512 /dev/vdb | wc -c
            (echo >/dev/vdb) || echo not written; mknod /tmp/disk b 254 0 || echo no disk'
        {PODMAN} run --rm --network none --privileged bb sh -c 'mknod /dev/own b 254 0 && head -c 512 /dev/own | wc -c'
        {PODMAN} rm -f -t 0 box
        """,
    ).stdout  # fmt: skip
    assert "/machine.slice/libpod-" in told
    assert told.split("4294967295")[0].split()[-2:] == ["0", "0"]
    assert "Seccomp:\t2" in told
    assert told.count("512\n") == 2
    assert "not written" in told
    assert "no disk" in told
