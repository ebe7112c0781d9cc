"""`inside`: the rootless command run from a cgroup that is delegated to the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import cgroups
from tests.harness.command import Rootless
from tests.need import need


@pytest.fixture
def delegated(rootless: Rootless) -> Iterator[Path]:
    """The delegated directory; commands of `rootless` run in its child `login` during the test."""
    path = cgroups.delegated()
    need(path is not None, "no delegated cgroup: start pytest as root on a host with cgroup v2")
    assert path is not None
    (path / "login/cgroup.procs").write_text(str(os.getpid()))
    try:
        yield path
        left = [entry.name for entry in path.iterdir() if entry.is_dir() and entry.name != "login"]
        assert not left, f"cgroups left behind: {left}"
    finally:
        (path.parent / "outside/cgroup.procs").write_text(str(os.getpid()))
