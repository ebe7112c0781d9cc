"""What the kernel is asked for beyond runc 1.1: time namespaces, schedulers, personality, notifying filters."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from tests.harness.account import ALL_IDS
from tests.oci.bundles import Runtime


def test_time_namespace(oci: Runtime) -> None:
    oci.spec["linux"]["namespaces"].append({"type": "time"})
    oci.spec["linux"]["timeOffsets"] = {"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 5}}
    uptime = float(oci.run("cat", "/proc/uptime").split()[0])
    assert 1_000_000 < uptime - float(Path("/proc/uptime").read_text().split()[0]) + 60 < 1_000_200
    oci.spec["linux"]["timeOffsets"] = {"monotonic": {"secs": -(1 << 40)}}
    assert "timeOffsets" in oci.run("true", status=1)


def test_scheduling(oci: Runtime) -> None:
    process = oci.spec["process"]
    nice = min(19, os.nice(0) + 3)  # we may be niced ourselves
    process["scheduler"] = {"policy": "SCHED_BATCH", "nice": nice}
    process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    stat = oci.run("cat", "/proc/self/stat").rpartition(")")[2].split()
    assert (stat[16], stat[38]) == (str(nice), "3"), "nice, and SCHED_BATCH"
    process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 10}
    if os.getuid():
        assert "SCHED_FIFO" in oci.run("true", status=1)


def test_personality(oci: Runtime) -> None:
    oci.spec["linux"]["personality"] = {"domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"]}
    assert oci.run("cat", "/proc/self/personality").strip() == "00040008"
    oci.spec["linux"]["personality"] = {"domain": "LINUX", "flags": ["NOSUCH"]}
    assert "personality.flags" in oci.run("true", status=1)


def test_domainname(oci: Runtime) -> None:
    oci.spec["domainname"] = "example.org"
    assert oci.run("cat", "/proc/sys/kernel/domainname") == "example.org\n"


def test_memory_policy(oci: Runtime) -> None:
    oci.spec["linux"]["memoryPolicy"] = {"mode": "MPOL_PREFERRED", "nodes": "0"}
    done = oci.run("cat", "/proc/self/numa_maps", status=None)
    assert "prefer" in done or "No such file" in done or "memoryPolicy" in done


def test_a_filter_that_notifies(oci: Runtime) -> None:
    path = oci.bundle / "listener"
    got: list[tuple[dict[str, object], str]] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        server.settimeout(20)

        def serve() -> None:
            with server.accept()[0] as connection:
                data, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_LEN(4))
                fds = array.array("i")
                for _, _, packed in ancillary:
                    fds.frombytes(packed)
                got.append((json.loads(data), os.readlink(f"/proc/self/fd/{fds[0]}")))
                _answer_with(fds[0], -38)  # ENOSYS
                os.close(fds[0])

        thread = threading.Thread(target=serve)
        thread.start()
        oci.spec["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": str(path),
            "listenerMetadata": "mine",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
        }
        out = oci.run("sh", "-c", "mkdir /tmp/d 2>&1; exit 0")
        thread.join(20)
    assert "not implemented" in out
    state, link = got[0]
    assert (state["metadata"], state["fds"]) == ("mine", ["seccompFd"])
    assert "seccomp" in link


def _answer_with(listener: int, error: int) -> None:
    """seccomp_unotify(2): receive one notification and answer it."""
    import fcntl

    notification = bytearray(80)
    fcntl.ioctl(listener, 0xC0502100, notification)
    identity = struct.unpack_from("Q", notification)[0]
    fcntl.ioctl(listener, 0xC0182101, bytearray(struct.pack("QqiI", identity, 0, error, 0)))


@pytest.mark.parametrize("name", ["sendmsg", "execve"])
def test_filters_that_could_never_begin(oci: Runtime, name: str) -> None:
    oci.spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/x",
        "syscalls": [{"names": [name], "action": "SCMP_ACT_NOTIFY"}],
    }
    assert name in oci.run("true", status=1)


def test_namespaces_by_path(oci: Runtime) -> None:
    pid = oci.create("sleep", "60")
    oci("start", "c")
    own = {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ("user", "ipc", "uts", "pid")}
    linux = oci.spec["linux"]
    del linux["uidMappings"], linux["gidMappings"]
    linux["namespaces"] = [
        {"type": "mount"},
        *({"type": name, "path": f"/proc/{pid}/ns/{name}"} for name in own),
    ]
    oci.spec["process"]["args"] = [
        "sh",
        "-c",
        "for n in user ipc uts pid; do readlink /proc/self/ns/$n; done",
    ]
    oci.write()
    seen = oci("run", "--bundle", str(oci.bundle), "d").stdout.split()
    assert seen == list(own.values())


def test_inside_a_user_namespace_of_somebody_else(oci: Runtime) -> None:
    """As Podman's: root there, and no user namespace is asked for."""
    linux = oci.spec["linux"]
    linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] != "user"]
    del linux["uidMappings"], linux["gidMappings"]
    oci.spec["process"]["args"] = ["sh", "-c", "readlink /proc/self/ns/user; cat /proc/self/uid_map"]
    oci.write()
    command = f"readlink /proc/self/ns/user; {oci.program} --root {oci.state} run -b {oci.bundle} c"
    done = subprocess.run(
        [*ALL_IDS, "--mount", "sh", "-c", command],
        capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outside, inside = done.stdout.split()[:2]
    assert inside == outside, "none was made"
