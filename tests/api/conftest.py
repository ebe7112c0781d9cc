"""`service`: the API of the store of `rootless`. `idle`: one for a whole file. `docker_py`: docker-py at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import leaks
from tests.harness.account import User
from tests.harness.api import Service
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
