"""Fixtures of the build's tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Result, Rootless
from tests.harness.trees import remove_tree

Build = Callable[..., Result]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """An empty build context."""
    path = tmp_path / "context"
    path.mkdir()
    return path


@pytest.fixture
def build(rootless: Rootless, busybox_image: str, context: Path) -> Build:
    """build("FROM busybox\\n...", "-t", "x"): the Dockerfile's text, built in `context` with plain progress."""

    def run(dockerfile: str, *args: str, status: int | None = 0, **options: object) -> Result:
        (context / "Dockerfile").write_text(dockerfile)
        return rootless("build", "--progress=plain", *args, context, status=status, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def other_machine(rootless: Rootless, busybox_archive: Path) -> Iterator[Rootless]:
    """The command with another store, which has busybox: as on another machine."""
    root = Path(tempfile.mkdtemp(prefix="rl-", dir="/var/tmp"))
    other = Rootless(root, rootless.runtime)
    images.ensure(other, "busybox:latest", busybox_archive)
    yield other
    remove_tree(root)
