"""What a pod's security context asks, through the CRI: seccomp profiles of files, users by name and by number, devices, privileges."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from tests.cri.containerd import Containerd
from tests.cri.pod import NODE, Pod

RUNTIME_DEFAULT, UNCONFINED, LOCALHOST = range(3)  # SecurityProfile.ProfileType
PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
CAPABILITIES = "grep -E '^Cap(Prm|Bnd):' /proc/self/status | cut -f2"
BIND_SERVICE = 1 << 10


def refused(pod: Pod, name: str, **security: object) -> str:
    """Why a container with this security context is not started."""
    with pytest.raises(grpc.RpcError) as error:
        pod.run(name, "exec sleep 1000", security=security)
    return str(error.value.details())


def test_seccomp_profiles(pod: Callable[..., Pod], containerd: Containerd) -> None:
    def profile(name: str, text: str) -> dict[str, object]:
        (containerd.data / name).write_text(text)
        return {"profile_type": LOCALHOST, "localhost_ref": f"localhost/{containerd.data / name}"}

    box = pod("seccomp", network=NODE)
    script = "grep Seccomp: /proc/self/status; mkdir /made; unshare -U true"
    for name, asked, said in (
        ("own", profile("own.json", json.dumps(PROFILE)), "Seccomp:\t2\nmkdir: can't create directory '/made': Operation not supported\n"),
        ("default", {"profile_type": RUNTIME_DEFAULT}, "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n"),
        ("none", {"profile_type": UNCONFINED}, "Seccomp:\t0\n"),
    ):
        assert box.exec(box.run(name, "exec sleep 1000", security={"seccomp": asked}), "sh", "-c", script)[1] == said
    damaged = profile("damaged.json", '{"defaultAction": "NOTHING"}')
    assert "linux.seccomp.defaultAction: 'NOTHING' is not one of" in refused(box, "damaged", seccomp=damaged)
    missing = {"profile_type": LOCALHOST, "localhost_ref": "localhost/nowhere.json"}
    assert "no such file or directory" in refused(box, "missing", seccomp=missing)


def test_users_and_capabilities(pod: Callable[..., Pod]) -> None:
    """What cannot be given is refused, with the number; a capability that nobody knows is left out, and nothing of that is in the
    streams of a container."""
    box = pod("users", network=NODE)

    def told(name: str, script: str, **security: object) -> list[str]:
        status, said = box.exec(box.run(name, "exec sleep 1000", security=security), "sh", "-c", script)
        assert status == 0
        return said.split()

    assert told("name", "id -un; id -G", run_as_username="user", run_as_group={"value": 7}, supplemental_groups=[50]) == ["user", "7", "50"]
    number = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 1000}}
    one = {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_BIND_SERVICE"]}
    assert told("one", CAPABILITIES, capabilities=one, **number) == [f"{0:016x}", f"{BIND_SERVICE:016x}"]
    assert told("root", CAPABILITIES, capabilities=one) == [f"{BIND_SERVICE:016x}"] * 2
    unknown = told("unknown", CAPABILITIES, capabilities={"add_capabilities": ["NO_SUCH"]})
    assert unknown == told("plain", CAPABILITIES)
    assert box.log("unknown") == []
    assert f"{1 << 30}:7" in refused(box, "user", run_as_user={"value": 1 << 30}, run_as_group={"value": 7})
    assert f"supplementary group {1 << 30} has no id on this machine" in refused(box, "group", supplemental_groups=[1 << 30], **number)
    assert "no users found" in refused(box, "nobody", run_as_username="nosuch")


def test_privileges_and_devices(pod: Callable[..., Pod]) -> None:
    """A privileged container has all capabilities of the daemon's namespace and no filter, and is refused in a pod that is not. It has
    no more devices (`privileged_without_host_devices`): those are named one by one, under any path."""
    box = pod("driver", privileged=True)
    driver = box.run("driver", "exec sleep 1000", security={"privileged": True})
    script = "grep Seccomp: /proc/self/status; echo there > /proc/sys/kernel/domainname; ls /dev/net; mknod /made b 8 0"
    status, said = box.exec(driver, "sh", "-c", script)
    assert (status, said.splitlines()[0]) == (1, "Seccomp:\t0")
    assert "ls: /dev/net: No such file" in said
    assert "mknod: /made: Operation not permitted" in said, "nobody's user namespace makes one"
    plain = pod("plain")
    assert "no privileged container allowed in sandbox" in refused(plain, "c", privileged=True)
    devices = [{"container_path": path, "host_path": "/dev/zero", "permissions": "rw"} for path in ("/dev/mine", "/dev/a/b")]
    given = plain.run("given", "exec sleep 1000", devices=devices)
    assert plain.exec(given, "sh", "-c", "head -c 4 /dev/mine | wc -c; head -c 5 /dev/a/b | wc -c") == (0, "4\n5\n")


def test_paths(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """Mounts that are read-only hold for what is mounted there, not below; a file for the last words; what is made for a mount point."""
    shared: Path = containerd.data / "shared"
    (shared / "below").mkdir(parents=True)
    (shared / "words").touch()
    (shared / "link").symlink_to(shared / "below")
    script = f"mount --bind {shared} {shared} && mount --make-rshared {shared} && mount -t tmpfs none {shared}/below"
    assert containerd.inside("sh", "-c", script).returncode == 0
    box = pod("paths")
    mounts = [
        {"container_path": "/closed", "host_path": str(shared), "readonly": True, "propagation": propagation} for propagation in (0, 1)
    ]
    mounts[1] |= {"container_path": "/follows"}
    mounts += [
        {"container_path": path, "host_path": str(shared / name)}
        for path, name in (("/dev/termination-log", "words"), ("/through", "link"), ("/made/for/it", "words"))
    ]
    security = {"masked_paths": ["/etc", "/proc/acpi", "/proc/nowhere"], "readonly_paths": ["/bin", "/proc/nowhere"]}
    saying = box.run("saying", "echo last > /dev/termination-log; exec sleep 1000", mounts=mounts, security=security)
    for place in ("closed", "follows"):
        assert "Read-only file system" in box.exec(saying, "touch", f"/{place}/new")[1]
        assert box.exec(saying, "touch", f"/{place}/below/{place}") == (0, "")
    assert box.exec(saying, "sh", "-c", "ls /through; cat /made/for/it; ls /etc") == (0, "closed\nfollows\nlast\n")
    assert "Read-only file system" in box.exec(saying, "touch", "/bin/new")[1]
    assert (shared / "words").read_text() == "last\n"
    assert containerd.inside("umount", "-R", str(shared)).returncode == 0
