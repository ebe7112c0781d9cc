"""Limits of a pod: in force, or an error that names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import grpc

from tests.cri.containerd import Containerd, Way, started
from tests.cri.pod import NODE, RUNNING, Pod, pods_of

MIB = 1 << 20
SHOWN = "cd /sys/fs/cgroup; cat memory.max cpu.max cpu.weight pids.max"
HOG = "x=a; while :; do x=$x$x; done"


def in_force(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """What was asked is what the kernel was told; a change; what is counted; and what happens beyond."""
    box = pod("limited", network=NODE)
    asked = {
        "memory_limit_in_bytes": 256 * MIB, "cpu_period": 100_000, "cpu_quota": 50_000, "cpu_shares": 512, "unified": {"pids.max": "50"},
    }  # fmt: skip
    container = box.run("c", f"head -c {40 * MIB} /dev/zero >/dev/shm/used; touch /ready; exec sleep 1000", resources=asked)
    shown = box.exec(container, "sh", "-c", f"until test -e /ready; do sleep 0.1; done; {SHOWN}")
    assert shown == (0, f"{256 * MIB}\n50000 100000\n20\n50\n")
    assert cgroup_of(containerd, container), "it is in the pod's"
    stats = containerd.call("ContainerStats", container_id=container).stats
    memory = stats.memory
    assert 40 * MIB < memory.working_set_bytes.value <= memory.usage_bytes.value < 60 * MIB
    assert memory.available_bytes.value == 256 * MIB - memory.working_set_bytes.value
    assert stats.cpu.usage_core_nano_seconds.value > 0
    changed = {"memory_limit_in_bytes": 128 * MIB, "cpu_period": 100_000, "cpu_quota": 25_000, "cpu_shares": 1024}
    containerd.call("UpdateContainerResources", container_id=container, linux=changed)
    assert box.exec(container, "sh", "-c", SHOWN) == (0, f"{128 * MIB}\n25000 100000\n39\n50\n")
    assert "OOMKilled" in (killed(box, f"hog-{number}") for number in range(5))
    assert box.container(container).state == RUNNING, "the other one goes on"
    box.stop(container, timeout_s=0)
    assert cgroup_of(containerd, container) == ""


def killed(box: Pod, name: str) -> str:
    """Why the CRI says that a container ended which wanted more memory than it may have. The shim hears that from an inotify of
    memory.events, and on a slow machine not before the cgroup has gone: then it is "Error", whichever the runtime."""
    ended = box.wait(box.run(name, HOG, resources={"memory_limit_in_bytes": 64 * MIB}))
    assert ended.exit_code == 137
    return str(ended.reason)


def cgroup_of(containerd: Containerd, container: str) -> str:
    """The directories of it in the daemon's view of what the kubelet asked for."""
    return containerd.inside("find", "/sys/fs/cgroup", "-type", "d", "-path", f"*kubepods*{container}*").stdout


def test_limits_are_in_force_or_an_error(pod_images: Path) -> None:
    """containerd asks `cpu.shares` 2 for every sandbox: where there is no cgroup with that controller, there is no pod."""
    with started(pod_images, way=Way(limits=True)) as daemon:
        refused = ""
        try:
            Pod(daemon, "probe", "rootless-oci", network=NODE).remove()
        except grpc.RpcError as error:
            refused = error.details()
        if refused:
            assert "linux.resources.cpu.shares cannot be enforced" in refused
            assert not daemon.call("ListPodSandbox").items
            return
        with pods_of(daemon) as pod:
            in_force(pod, daemon)
