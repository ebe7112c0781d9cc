"""A pod as the kubelet makes one, by CRI calls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from tests.cri.containerd import Containerd

POD, CONTAINER, NODE, TARGET = range(4)  # NamespaceMode
RUNNING, EXITED = 1, 2  # ContainerState
EXEC_TIMEOUT_S = 30


class Pod:
    """A sandbox of `handler`; `ports` are its port mappings, `sandbox` fields of its LinuxPodSandboxConfig."""

    def __init__(
        self, daemon: Containerd, name: str, handler: str, *,
        network: int = POD, pid: int = CONTAINER, privileged: bool = False, ports: Sequence[dict[str, Any]] = (), **sandbox: Any,
    ) -> None:  # fmt: skip
        self.daemon = daemon
        self.logs = daemon.data / "logs" / name
        security = {"namespace_options": {"network": network, "pid": pid}, "privileged": privileged}
        self.config: dict[str, Any] = {
            "metadata": {"name": name, "uid": f"uid-{name}", "namespace": "default"},
            "hostname": name if network != NODE else "",
            "log_directory": str(self.logs),
            "dns_config": {"servers": ["10.0.2.3"], "searches": ["pods.test"]},
            "port_mappings": ports,
            "linux": {"cgroup_parent": daemon.way.cgroup_parent(name), "security_context": security, **sandbox},
        }
        self.id: str = daemon.call("RunPodSandbox", config=self.config, runtime_handler=handler).pod_sandbox_id
        self.containers: list[str] = []

    def status(self) -> Any:
        return self.daemon.call("PodSandboxStatus", pod_sandbox_id=self.id).status

    def create(
        self, name: str, script: str, *, security: dict[str, Any] | None = None, resources: dict[str, Any] | None = None, **more: Any
    ) -> str:
        """The id of a container of busybox that will run `script`."""
        linux = {
            "security_context": {"namespace_options": {"pid": CONTAINER}, **(security or {})},
            "resources": resources or {},
        }
        config = {
            "metadata": {"name": name}, "image": {"image": "busybox:latest"}, "command": ["sh", "-c", script],
            "log_path": f"{name}.log", "linux": linux, **more,
        }  # fmt: skip
        answer = self.daemon.call("CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        self.containers.append(answer.container_id)
        return self.containers[-1]

    def start(self, container: str) -> None:
        self.daemon.call("StartContainer", container_id=container)

    def run(self, name: str, script: str, **more: Any) -> str:
        container = self.create(name, script, **more)
        self.start(container)
        return container

    def container(self, container: str) -> Any:
        return self.daemon.call("ContainerStatus", container_id=container).status

    def wait(self, container: str) -> Any:
        """Its status, once it has ended."""
        deadline = time.monotonic() + 60
        while (status := self.container(container)).state != EXITED:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def exec(self, container: str, *words: str) -> tuple[int, str]:
        """ExecSync: its exit status, and all that it wrote."""
        answer = self.daemon.call("ExecSync", container_id=container, cmd=words, timeout=EXEC_TIMEOUT_S)
        return answer.exit_code, (answer.stdout + answer.stderr).decode()

    def exec_error(self, container: str, *words: str) -> str:
        """Why ExecSync refuses, in lower case."""
        try:
            self.exec(container, *words)
        except grpc.RpcError as error:
            return str(error.details()).lower()
        raise AssertionError(f"{words} ran")

    def log(self, name: str) -> list[str]:
        """A container's log, its lines without their times."""
        return [line.split(" ", 1)[1] for line in (self.logs / f"{name}.log").read_text().splitlines()]

    def stop(self, container: str, *, timeout_s: int = 30) -> None:
        self.daemon.call("StopContainer", container_id=container, timeout=timeout_s)

    def remove(self) -> None:
        """The pod and all of its containers."""
        self.daemon.call("StopPodSandbox", pod_sandbox_id=self.id)
        for container in self.containers:
            self.daemon.call("RemoveContainer", container_id=container)
        self.daemon.call("RemovePodSandbox", pod_sandbox_id=self.id)


@contextlib.contextmanager
def pods_of(containerd: Containerd) -> Iterator[Callable[..., Pod]]:
    """pod(NAME, ...) makes one with our runtime; all are removed, and then nothing is left."""
    made: list[Pod] = []

    def make(name: str, **more: Any) -> Pod:
        made.append(Pod(containerd, name, "rootless-oci", **more))
        return made[-1]

    yield make
    for each in made:
        each.remove()
    assert not containerd.call("ListContainers").containers
    assert not containerd.call("ListPodSandbox").items
    left = containerd.inside("sh", "-c", "ls /run/rootless-oci/k8s.io; ls /run/netns")
    assert left.stdout == "", "nothing of the runtime's or the network's is left"
