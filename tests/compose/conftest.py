"""Fixtures of tests of compose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.projects import Compose
from tests.harness.command import Rootless


@pytest.fixture
def compose(rootless: Rootless, busybox_image: str, tmp_path: Path) -> Iterator[Compose]:
    """A project `demo` in a directory of its own, in a store that has busybox."""
    directory = tmp_path / "demo"
    directory.mkdir()
    found = Compose(rootless, directory)
    yield found
    found.close()
