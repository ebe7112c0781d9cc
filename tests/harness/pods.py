"""Pods for tests: made, looked at, and removed with all that is in them."""

from __future__ import annotations

import json
from typing import Any

from tests.harness.command import Rootless

SLEEP = ("sleep", "1000")


class Pods:
    """A store with pods and containers, whose image is busybox's."""

    def __init__(self, rootless: Rootless, image: str) -> None:
        self.rootless = rootless
        self.image = image

    def create(self, name: str, *options: str) -> str:
        """A pod; its id."""
        return self.rootless("pod", "create", "--name", name, *options).stdout.strip()

    def run(self, pod: str, name: str, *options: str, command: tuple[str, ...] = SLEEP) -> str:
        """A container of the pod in the background; its id."""
        words = ("run", "-d", "--init", "--pod", pod, "--name", name, *options, self.image, *command)
        return self.rootless(*words).stdout.strip()

    def inside(self, name: str, *command: str, status: int | None = 0) -> str:
        """What a command in the container prints."""
        return self.rootless("exec", name, *command, status=status).stdout

    def inspect(self, pod: str) -> dict[str, Any]:
        """`pod inspect`."""
        (found,) = json.loads(self.rootless("pod", "inspect", pod).stdout)
        return dict(found)

    def status(self, pod: str) -> str:
        """The pod's status."""
        return str(self.inspect(pod)["State"])

    def states(self, pod: str) -> dict[str, str]:
        """Names and states of the pod's containers; the infra is called so."""
        found = self.inspect(pod)
        infra = found.get("InfraContainerID")
        return {
            "infra" if one["Id"] == infra else one["Name"]: one["State"] for one in found.get("Containers", ())
        }

    def infra(self, pod: str) -> str:
        """The id of the pod's infra."""
        return str(self.inspect(pod)["InfraContainerID"])

    def state(self, container: str) -> dict[str, Any]:
        """What `inspect` says of a container's state."""
        (found,) = json.loads(self.rootless("inspect", container).stdout)
        return dict(found["State"])

    def close(self) -> None:
        """All of them go, and the networks."""
        self.rootless("pod", "rm", "-f", "-a", "-t", "0", status=None)
        for name in self.rootless("ps", "-aq", status=None).lines:
            self.rootless("rm", "-f", name, status=None)
        self.rootless("network", "prune", "-f", status=None)
