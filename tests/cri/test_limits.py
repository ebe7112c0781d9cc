"""Limits of a pod: in force, or an error that names them."""

from __future__ import annotations

from pathlib import Path

from tests.cri.containerd import started
from tests.cri.grpc import CallError
from tests.cri.pod import NODE, Pod

LIMIT_BYTES = 256 << 20


def test_a_limit_is_in_force_or_an_error(pod_images: Path) -> None:
    """containerd asks `cpu.shares` 2 for every sandbox. Where the user has no cgroup with that controller, it gets no pod."""
    with started(pod_images, disable_cgroup=False) as daemon:
        refused = ""
        try:
            pod = Pod(daemon, "limited", "rootless-oci", network=NODE)
        except CallError as error:
            refused = error.message
        if refused:
            assert "linux.resources.cpu.shares cannot be enforced" in refused
            assert daemon.call("ListPodSandbox", "Empty", "ListPodSandboxResponse")["items"] == []
            return
        container = pod.run("c", "exec sleep 1000", resources={"memory_limit_in_bytes": LIMIT_BYTES})
        assert pod.exec(container, "cat", "/sys/fs/cgroup/memory.max") == (0, f"{LIMIT_BYTES}\n")
        pod.remove()
