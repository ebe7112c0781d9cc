"""rootless-oci as real root on a systemd host: no more than what is asked, the devices' rules, Podman."""

from __future__ import annotations

import json
import re

from tests.vm.machine import Machine
from tests.vm.oci_host import MIB, PODMAN, ROOTFS, files, oci, spec_of


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
