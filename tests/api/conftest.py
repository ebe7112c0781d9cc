"""`service`: the API of the store of `rootless`. `idle`: one for a whole file. `docker_py`: docker-py at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import leaks
from tests.harness.account import User
from tests.harness.api import Make, Service
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree


@pytest.fixture
def service(rootless: Rootless) -> Iterator[Service]:
    """The service, its socket in the test's own runtime directory."""
    running = Service(rootless)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def idle(user: User) -> Iterator[Service]:
    """A service with an empty store, for tests that put nothing into it."""
    root, runtime = Path(tempfile.mkdtemp(prefix="rl-", dir="/var/tmp")), Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    command = Rootless(root, runtime)
    before = leaks.snapshot()
    try:
        running = Service(command)
        yield running
        assert running.stop() == 0
    finally:
        command.close()
        leaks.sweep(before)
        remove_tree(runtime)
        remove_tree(root)


@pytest.fixture
def docker_py(service: Service) -> Iterator[Any]:
    """docker-py's client."""
    client = service.client()
    yield client
    client.close()


@pytest.fixture
def make(service: Service, busybox_image: str) -> Iterator[Make]:
    """Creates a container of busybox and returns its id; all are removed at the end."""
    made: list[str] = []

    def create(*command: str, name: str = "", **config: Any) -> str:
        query = f"?name={name}" if name else ""
        body = {"Image": busybox_image, "Cmd": list(command) or ["sleep", "1000"], **config}
        made.append(service("POST", f"/containers/create{query}", body, status=201).json["Id"])
        return made[-1]

    yield create
    for identifier in made:  # by the command line: some tests end the service
        service.rootless("rm", "-fv", identifier, status=None)
