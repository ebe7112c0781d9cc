"""`console`: one of the test's own. `browser`: logged in there. `box`: a container that runs and counts in its log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless
from tests.harness.console import Browser, Console


@pytest.fixture
def console(rootless: Rootless) -> Iterator[Console]:
    running = Console(rootless)
    yield running
    assert running.stop() == 0
    assert not running.path.exists()


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.log_in()


@pytest.fixture
def box(rootless: Rootless, busybox_image: str) -> Iterator[str]:
    options = ("-d", "--name", "box", "--stop-timeout", "1", "--network", "none")
    rootless("run", *options, busybox_image, "sh", "-c", "echo ready; exec sleep 1000")
    yield "box"
    rootless("rm", "-f", "box", status=None)
