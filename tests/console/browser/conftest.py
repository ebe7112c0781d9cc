"""One console, one browser, one store for what is done by clicking and typing: `rootless`, `console`, `page`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import account, images, leaks
from tests.harness.account import User
from tests.harness.browser import Window
from tests.harness.command import Rootless
from tests.harness.console import Console
from tests.harness.trees import remove_tree
from tests.need import need, without_range


@pytest.fixture(scope="package")
def rootless(user: User) -> Iterator[Rootless]:
    """The installed command, with a store of this directory's own."""
    need(account.has_subordinate_ids(user) or without_range(), f"{user.name} has no subordinate ids, or newuidmap is missing")
    root, runtime = (Path(tempfile.mkdtemp(prefix="rl-", dir=directory)) for directory in ("/var/tmp", "/tmp"))
    before = leaks.snapshot()
    command = Rootless(root, runtime)
    try:
        yield command
        command.close()
        left = leaks.find(before, root, runtime, command.sockets)
    finally:
        command.close()
        leaks.sweep(before)
        remove_tree(runtime)
        remove_tree(root)
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture(scope="package")
def image(rootless: Rootless, busybox_archive: Path) -> str:
    return images.ensure(rootless, "busybox:latest", busybox_archive)


@pytest.fixture(scope="package")
def console(rootless: Rootless, image: str) -> Iterator[Console]:
    running = Console(rootless, "--listen", "127.0.0.1:0")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="package")
def window(console: Console) -> Iterator[Window]:
    """Logged in by the printed link, as a user opens it."""
    opened = Window()
    try:
        log_in(opened, console.said)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def page(window: Window) -> Iterator[Window]:
    """The same, as it was in the beginning."""
    yield window
    window.media()
    window.width(0)


def log_in(window: Window, said: str) -> None:
    """Open the link in what a console has printed; the address line forgets its secret."""
    found = re.search(r"(http://127\.0\.0\.1:\d+)(/login#login=\S+)", said)
    assert found
    window.address = found[1]
    window.open(found[2])
    window.until_at("/containers")
    assert window.run("return location.hash") == ""
