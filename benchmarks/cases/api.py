"""Docker's API through the socket of `system service`, beside Podman's: the docker command, and requests on one connection.

Needs the docker command; `docker run` on the default network of each. Idle memory is the private one of all processes of a service.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cases.memory import private_kib
from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World
from tests.harness import processes
from tests.harness.podman import Podman

CONTAINERS, REQUESTS = 20, 200
IDLE_KIB = 25 * 1024.0


def measure(world: World) -> list[Row]:
    docker = shutil.which("docker")
    if not docker or not world.podman:
        print("    left out: the docker command or podman is not installed")
        return []
    with ExitStack() as stack:
        ours, theirs = services_of(world, world.podman, stack)
        services = [("rootless", ours), ("podman", theirs)]

        def pair(*words: str) -> list[Contender]:
            return [Contender(name, command([docker, *words], each.client)) for name, each in services]

        rows = interleaved("docker run --rm through the API", pair("run", "--rm", IMAGE, "true"), rounds=7, goals={"podman": 1 / 2})
        names = [f"bench-{number}" for number in range(CONTAINERS)]
        for name in names:
            world.both("create", "--name", name, IMAGE, "true")
        try:
            rows += interleaved(f"docker ps -a through the API, {CONTAINERS} containers", pair("ps", "-a"), rounds=15,
                                goals={"podman": 1 / 2})  # fmt: skip
            asking = [Contender(name, _ask(each.path)) for name, each in services]
            rows += interleaved(f"{REQUESTS} GET /containers/json", asking, rounds=5, goals={"podman": 1 / 2})
        finally:
            world.both("rm", "--force", *names)
        rows.append(_idle(ours, theirs))
        return rows


def services_of(world: World, podman: Podman, stack: ExitStack) -> tuple[Service, Service]:
    """Ours and Podman's, until the stack ends."""
    ours = Service([*world.rootless.argv, "system", "service"], world.rootless.environment, world.rootless.runtime / "rootless/docker.sock")
    path = world.directory / "podman.sock"
    theirs = Service(podman.argv("system", "service", "--time", "0", f"unix://{path}"), podman.environment, path)
    return stack.enter_context(ours), stack.enter_context(theirs)


class Service:
    """A context: a service that listens."""

    def __init__(self, argv: list[str], environment: dict[str, str], path: Path) -> None:
        self.path = path
        self.client = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "DOCKER_HOST": f"unix://{path}"}
        self._argv, self._environment = argv, environment

    def __enter__(self) -> Service:
        self.process = subprocess.Popen(
            self._argv, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.path)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError(f"{' '.join(self._argv)} does not listen")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def private_kib(self) -> float:
        """Private memory of it and its descendants."""
        found: set[int] = {self.process.pid}
        every = processes.descendants()
        while more := {each.pid for each in every.values() if each.parent in found} - found:
            found |= more
        return private_kib([each for each in every.values() if each.pid in found])


def _ask(path: Path) -> Callable[[], None]:
    def ask() -> None:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        for _ in range(REQUESTS):
            connection.request("GET", "/v1.41/containers/json?all=1")
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise RuntimeError(f"{path}: {answer.status}")
        connection.close()

    return ask


def _idle(ours: Service, theirs: Service) -> Row:
    kib, other = ours.private_kib(), theirs.private_kib()
    return Row(f"memory of an idle service (goal {IDLE_KIB / 1024:g} MiB)", "podman", "KiB", kib, other, kib / other, None, 1)
