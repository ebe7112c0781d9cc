"""Limits of a pod: in force, or an error that names them."""

from __future__ import annotations

from pathlib import Path

from tests.cri.containerd import started
from tests.cri.grpc import CallError
from tests.cri.pod import NODE, Pod

LIMIT_BYTES = 256 << 20


def look(*archives: Path) -> str:
    """Which of the two it was. containerd asks `cpu.shares` 2 for every sandbox: where there is no cgroup with that controller, there is
    no pod."""
    with started(*archives, disable_cgroup=False) as daemon:
        refused = ""
        try:
            pod = Pod(daemon, "limited", "rootless-oci", network=NODE)
        except CallError as error:
            refused = error.message
        if refused:
            assert "linux.resources.cpu.shares cannot be enforced" in refused
            assert daemon.call("ListPodSandbox", "Empty", "ListPodSandboxResponse")["items"] == []
            return f"limits: refused: {refused}"
        container = pod.run("c", "exec sleep 1000", resources={"memory_limit_in_bytes": LIMIT_BYTES})
        assert pod.exec(container, "cat", "/sys/fs/cgroup/memory.max") == (0, f"{LIMIT_BYTES}\n")
        pod.remove()
        return "limits: in force"


def test_a_limit_is_in_force_or_an_error(pod_images: Path) -> None:
    look(pod_images)
