"""Pods of containerd's CRI on rootless-oci, an ordinary user's: what a kubelet does with them."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tests.cri.containerd import Containerd
from tests.cri.pod import NODE, POD, RUNNING, TARGET, Pod
from tests.cri.streaming import ERROR, RESIZE, STDERR, STDIN, STDOUT, Stream

SERVE = "mkdir /www && echo pod > /www/index.html && httpd -p 8080 -h /www && touch /ready; "
READY = "until test -e /ready; do sleep 0.1; done; "
SLEEP = "trap 'exit 4' TERM; sleep 1000 & wait"
UNCONFINED = 1  # SecurityProfile.ProfileType
MOUNTED = "grep -c ' /volume/made ' /proc/self/mountinfo"


def test_containers_of_a_pod(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """One network, names and log for both; processes and root of its own for each; and its end."""
    web = pod("web")
    assert (web.status().state, web.status().network.ip[:8]) == (0, "10.89.7.")
    server = web.run("server", SERVE + "echo out; echo err >&2; " + SLEEP)
    client = web.run("client", "exec sleep 1000")
    assert web.container(server).state == RUNNING
    assert web.exec(server, "sh", "-c", READY + "hostname; cat /etc/resolv.conf") == (0, "web\nsearch pods.test\nnameserver 10.0.2.3\n")
    assert web.exec(client, "wget", "-qO-", "http://127.0.0.1:8080/") == (0, "pod\n")
    assert "No such file" in web.exec(client, "ls", "/www")[1]
    assert web.exec(client, "sh", "-c", "ip -o -4 addr show eth0 | grep -c 10.89.7.; exit 5") == (5, "1\n")
    assert "no such file" in web.exec_error(client, "/nowhere")
    assert sorted(web.log("server")) == ["stderr F err", "stdout F out"]
    web.stop(server)
    ended = web.container(server)
    assert (ended.exit_code, ended.reason) == (4, "Error")
    assert ended.finished_at > ended.started_at > 0
    failing = web.run("failing", "exit 7")
    assert web.wait(failing).exit_code == 7
    missing = web.create("missing", "", command=["/nowhere"])
    with pytest.raises(grpc.RpcError) as refused:
        web.start(missing)
    assert "/nowhere" in refused.value.details()
    assert "no such file" in refused.value.details().lower()
    other = pod("other")
    visitor = other.run("visitor", "exec sleep 1000")
    ip = web.status().network.ip
    web.stop(client, timeout_s=0)
    again = web.run("again", SERVE + "exec sleep 1000")
    assert web.exec(again, "sh", "-c", READY)[0] == 0
    assert other.exec(visitor, "wget", "-qO-", f"http://{ip}:8080/") == (0, "pod\n"), "pods reach each other"


def test_streams(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """`kubectl exec -it`, `kubectl exec -i` and `kubectl port-forward`."""
    web = pod("streams")
    server = web.run("server", SERVE + "exec sleep 1000")
    assert web.exec(server, "sh", "-c", READY)[0] == 0

    def exec_stream(script: str, *, tty: bool) -> Stream:
        url = containerd.call(
            "Exec", container_id=server, cmd=["sh", "-c", script],
            stdin=True, stdout=True, stderr=not tty, tty=tty,
        ).url  # fmt: skip
        return Stream(containerd, url)

    stream = exec_stream("trap 'stty size' WINCH; tty; read x; until test \"$x\" = end; do read x; done; exit 6", tty=True)
    stream.expect(STDOUT, b"/dev/pts/")
    stream.send(RESIZE, json.dumps({"Width": 101, "Height": 33}).encode())
    stream.send(STDIN, b"go on\n")
    stream.expect(STDOUT, b"33 101")
    stream.send(STDIN, b"end\n")
    status = json.loads(stream.rest()[ERROR])
    assert status["details"]["causes"][0] == {"reason": "ExitCode", "message": "6"}
    stream.close()

    stream = exec_stream("read x; echo to err $x >&2; echo to out $x", tty=False)
    stream.send(STDIN, b"word\n")
    received = stream.rest()
    assert (received[STDOUT], received[STDERR]) == (b"to out word\n", b"to err word\n")
    assert json.loads(received[ERROR])["status"] == "Success"
    stream.close()

    answer = containerd.call("PortForward", pod_sandbox_id=web.id, port=[8080])
    stream = Stream(containerd, answer.url + "?port=8080")
    stream.expect(0, struct.pack("<H", 8080))
    stream.send(0, b"GET / HTTP/1.0\r\n\r\n")
    assert b"200 OK" in stream.expect(0, b"\npod\n")
    stream.close()


def test_what_a_pods_specification_says_of_security(pod: Callable[..., Pod], containerd: Containerd) -> None:
    (containerd.data / "given").mkdir()
    (containerd.data / "given/file").write_text("given\n")
    box = pod("box", network=NODE, sysctls=[])
    given = {"container_path": "/given", "host_path": str(containerd.data / "given"), "readonly": True}
    confined = box.run(
        "confined", "exec sleep 1000", mounts=[given],
        security={
            "run_as_user": {"value": 1000}, "run_as_group": {"value": 50}, "readonly_rootfs": True, "no_new_privs": True,
            "capabilities": {"drop_capabilities": ["ALL"]}, "seccomp": {"profile_type": 0},
            "masked_paths": ["/etc/passwd"], "readonly_paths": ["/proc/sys"],
        },
    )  # fmt: skip
    script = "id -u; id -g; grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; cat /given/file; wc -c < /etc/passwd"
    assert box.exec(confined, "sh", "-c", script)[1].split() == [
        "1000", "50", "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2", "given", "0",
    ]  # fmt: skip
    for path in ("/new", "/given/new", "/proc/sys/kernel/domainname"):
        status, said = box.exec(confined, "sh", "-c", f"echo x > {path}")
        assert status == 1
        assert "Read-only file system" in said
    plain = box.run("plain", "exec sleep 1000")
    assert box.exec(plain, "sh", "-c", "id -u; echo x > /new; grep Seccomp: /proc/self/status") == (0, "0\nSeccomp:\t0\n")
    if containerd.root:  # and so on a machine that has AppArmor
        assert box.exec(plain, "cat", "/proc/self/attr/current") == (0, "cri-containerd.apparmor.d (enforce)\n")


def test_mounts_that_go_both_ways(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """mountPropagation: Bidirectional, as the drivers of volumes have it; HostToContainer in the other container."""
    shared = containerd.data / "shared"
    shared.mkdir()
    box = pod("volumes", network=NODE)
    prepared = containerd.inside("sh", "-c", f"mount --bind {shared} {shared} && mount --make-rshared {shared}")
    assert prepared.returncode == 0, prepared.stderr
    volume = {"container_path": "/volume", "host_path": str(shared)}
    driver = box.run("driver", "exec sleep 1000", mounts=[volume | {"propagation": 2}],
                     security={"capabilities": {"add_capabilities": ["SYS_ADMIN"]}, "apparmor": {"profile_type": UNCONFINED}})  # fmt: skip
    user = box.run("user", "exec sleep 1000", mounts=[volume | {"propagation": 1}])
    neither = box.run("neither", "exec sleep 1000", mounts=[volume])
    assert box.exec(driver, "sh", "-c", "mkdir /volume/made && mount -t tmpfs made /volume/made && touch /volume/made/file") == (0, "")
    assert box.exec(user, "sh", "-c", f"{MOUNTED}; ls /volume/made") == (0, "1\nfile\n")
    assert box.exec(neither, "sh", "-c", f"{MOUNTED}; ls /volume/made") == (0, "0\n")
    assert containerd.inside("umount", str(shared / "made"), str(shared)).returncode == 0


def test_namespaces_and_privileges(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """What containers share with their pod, with one of its containers and with the node; sysctls, groups, all privileges."""
    sysctls = {"kernel.shm_rmid_forced": "1", "net.ipv4.ip_unprivileged_port_start": "80"}
    shared = pod("shared", pid=POD, sysctls=[{"key": key, "value": value} for key, value in sysctls.items()])
    first = shared.run("first", "echo of first > /dev/shm/file; touch /ready; exec sleep 1001", security=options(POD))
    read = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start"
    assert shared.exec(first, "sh", "-c", READY + read) == (0, "1\n80\n")
    groups = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 50}, "supplemental_groups": [60, 61]}
    second = shared.run("second", "exec sleep 1002", security=options(POD) | groups)
    assert shared.exec(second, "sh", "-c", "cat /dev/shm/file; id -G") == (0, "of first\n50 60 61\n")
    assert seen(shared, second) == {"1001", "1002", "2147483647"}
    alone = shared.run("alone", "exec sleep 1003")
    assert seen(shared, alone) == {"1003"}
    debugger = shared.run("debugger", "exec sleep 1004", security=options(TARGET, target_id=alone))
    assert seen(shared, debugger) == {"1003", "1004"}

    node = pod("node", network=NODE, pid=NODE, privileged=True)
    driver = node.run("driver", "exec sleep 1005", security=options(NODE) | {"privileged": True})
    assert seen(node, driver) >= {"1001", "1003", "1005"}
    all_of_them = containerd.inside("grep", "CapBnd:", "/proc/self/status").stdout
    mount = "mkdir /made && mount -t tmpfs none /made && echo mounted"
    assert node.exec(driver, "sh", "-c", f"grep CapBnd: /proc/self/status; {mount}") == (0, f"{all_of_them}mounted\n")


def options(pid: int, **more: str) -> dict[str, Any]:
    return {"namespace_options": {"pid": pid, **more}}


def seen(box: Pod, container: str) -> set[str]:
    """The arguments of the sleeps in its pid namespace."""
    return set(re.findall(r"^sleep (\d+)", box.exec(container, "ps", "-o", "args")[1], re.MULTILINE))
