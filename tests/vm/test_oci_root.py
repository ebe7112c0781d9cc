"""rootless-oci as real root on a systemd host: no more than what is asked, the devices' rules, Podman."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.need import need_program
from tests.vm.machine import Machine
from tests.vm.oci_host import MIB, PODMAN, capable, files, oci, podman, show, spec_of, statistics


def test_real_root_gets_what_is_asked_and_no_more(machine: Machine) -> None:
    """No user namespace, the capabilities of the configuration, a filter if there is one, limits and hooks."""
    spec = spec_of("root", "sh", "-c", "cat /proc/self/uid_map /proc/self/status; exec sleep 1000", cgroupsPath="/oci/one")
    spec["linux"]["resources"] = {"pids": {"limit": 20}, "memory": {"limit": 50 * MIB}}
    spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    capable(spec, "CAP_KILL", "CAP_MKNOD")
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "grep -o '\"status\": \"[a-z]*' >>/tmp/hooks"]}
    spec["hooks"] = {point: [hook] for point in ("createRuntime", "poststart", "poststop")}
    told = oci(
        machine, "root", spec,
        f"""rm -f /tmp/hooks; up one; for i in $(seq 50); do grep -q Seccomp: out && break; sleep 0.1; done; cat out
        cgroup one; {show("one", "pids.max", "memory.max", "cgroup.procs")}
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
    spec = spec_of("root", "sh", "-c", script, cgroupsPath="system.slice:oci:dev")
    capable(spec, "CAP_MKNOD")
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


@pytest.mark.differs
def test_podman_as_real_root(machine: Machine) -> None:
    told = podman(
        machine, "root",
        f"""box --device /dev/vdb:/dev/vdb:r --cap-add mknod bb sleep 1000; box_cgroup
        {PODMAN} exec box sh -c '
            cat /proc/self/uid_map; grep -E "CapBnd|Seccomp:" /proc/self/status; head -c 512 /dev/vdb | wc -c
            (echo >/dev/vdb) || echo not written; mknod /tmp/disk b 254 0 || echo no disk'
        {PODMAN} run --rm --network none --privileged bb sh -c 'mknod /dev/own b 254 0 && head -c 512 /dev/own | wc -c'
        {PODMAN} rm -f -t 0 box""",
    )  # fmt: skip
    assert "/machine.slice/libpod-" in told
    assert told.split("4294967295")[0].split()[-2:] == ["0", "0"]
    assert "Seccomp:\t2" in told
    assert told.count("512\n") == 2
    assert "not written" in told
    assert "no disk" in told


@pytest.fixture
def runc(machine: Machine) -> str:
    """runc's command, the one of the host."""
    machine.put(Path(need_program("runc")), "/srv/runc", user="root")
    return "/srv/runc --root /run/theirs"


HUGE = "import mmap, time; pages = mmap.mmap(-1, 2 << 20, flags=0x40022); pages[0] = 1; print(1, flush=True); time.sleep(1000)"
# Of runc 1.2 and newer.
NEWER = re.compile(r"(cpu|memory|blkio)\.psi\..*|memory\.usage\.max")


def figures(value: Any, path: str = "") -> dict[str, int]:
    """What is not zero, which runc leaves out, each under its path; entries of devices under their device."""
    found: dict[str, int] = {}
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= figures(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for entry in value:
            found[f"{path}[{entry.get('major', 0)}:{entry.get('minor', 0)} {entry['op']}]"] = entry.get("value", 0)
    else:
        found[path] = value
    return {key: number for key, number in found.items() if number}


def test_events_beside_runc(machine: Machine, runc: str) -> None:
    """Two containers, runc's and ours, in one cgroup that is frozen: what is told of it is the same, word for word."""
    spec = spec_of("root", "sleep", "1000", cgroupsPath="/oci/both")
    told = oci(
        machine, "root", spec,
        f"""rm -f /tmp/huge; {runc} run -d --bundle . theirs </dev/null >/dev/null 2>&1; up both
        cd $(cgroup both); echo 2 >/proc/sys/vm/nr_hugepages; echo {2 * MIB} >hugetlb.2MB.max; echo {200 * MIB} >memory.max
        echo {90 * MIB} >memory.swap.max; echo 40 >pids.max; echo '50000 100000' >cpu.max
        sh -c 'echo $$ >cgroup.procs; exec dd of=/dev/null bs=64k count=4 iflag=direct' </dev/vdb
        sh -c 'echo $$ >cgroup.procs; exec python3 -c "{HUGE}"' >/tmp/huge 2>&1 &
        until grep -q 1 /tmp/huge; do sleep 0.2; done
        sh -c 'echo $$ >cgroup.procs; exec python3 -c "{HUGE}"' || echo "huge $?"
        echo 1 >cgroup.freeze; until grep -q 'frozen 1' cgroup.events; do sleep 0.1; done; cd ~/oci
        sleep 1  # the clock of the processors' quota has run out
        {runc} events --stats theirs; rootless-oci events --stats both; [ ! -e /proc/pressure/io ] || echo pressure
        rootless-oci delete --force both; {runc} delete --force theirs; echo 0 >/proc/sys/vm/nr_hugepages""",
    )  # fmt: skip
    assert "huge 135" in told, "SIGBUS: the limit of huge pages"
    theirs, ours = statistics(told)
    assert ours["hugetlb"].keys() == theirs["hugetlb"].keys()
    assert (ours["hugetlb"]["2MB"], "psi" in ours["blkio"]) == ({"usage": 2 * MIB, "failcnt": 1}, "pressure" in told)
    wanted, found = figures(theirs), figures(ours)
    assert {"blkio.ioServiceBytesRecursive[254:16 Read]", "memory.swap.limit", "cpu.usage.total"} <= wanted.keys()
    # Each processor holds some pages and counts ready for the cgroup, which the kernel takes back when it likes: what was 0 for
    # runc, and left out, may be little a moment later.
    both = {key: (wanted.get(key, 0), found.get(key, 0)) for key in wanted.keys() | found.keys() if not NEWER.fullmatch(key)}
    different = {key: pair for key, pair in both.items() if abs(pair[0] - pair[1]) > key.startswith("memory.") * MIB}
    assert not different


def test_parents_of_a_cgroup_stay_as_with_runc(machine: Machine, runc: str) -> None:
    told = oci(
        machine, "root", spec_of("root", "true", cgroupsPath="/oci-ours/b/c"),
        f"""rootless-oci run --bundle . parents
        sed -i s,/oci-ours,/oci-theirs, config.json; {runc} run --bundle . parents
        cd /sys/fs/cgroup; find oci-ours oci-theirs -depth -type d -print -delete""",
    )  # fmt: skip
    assert told.split() == ["oci-ours/b", "oci-ours", "oci-theirs/b", "oci-theirs"]
