"""Fixtures: `oci`, our runtime with a bundle; `peers`, runc beside it; nothing may be left after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import cgroups
from tests.harness.account import User
from tests.harness.trees import remove_tree
from tests.need import need, need_program
from tests.oci.bundles import Runtime, installed, make_rootfs


@pytest.fixture
def directory(user: User) -> Iterator[Path]:
    """A directory on a disk, private to the user."""
    assert user.uid
    path = Path(tempfile.mkdtemp(prefix="rl-oci-", dir="/var/tmp"))
    yield path
    remove_tree(path)


@pytest.fixture
def rootfs(directory: Path) -> Path:
    return make_rootfs(directory / "rootfs")


@pytest.fixture
def oci(directory: Path, rootfs: Path) -> Iterator[Runtime]:
    """`rootless-oci` as an ordinary user."""
    (directory / "bin").mkdir()
    runtime = Runtime(installed(directory / "bin"), directory, rootfs)
    yield runtime
    runtime.clean()


@pytest.fixture
def runc(directory: Path, rootfs: Path) -> Iterator[Runtime]:
    """runc, with the same root."""
    runtime = Runtime(Path(need_program("runc")), directory, rootfs)
    yield runtime
    runtime.clean()


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A cgroup of ours to divide, in whose child `login` we run."""
    path = cgroups.delegated()
    need(path is not None, "no delegated cgroup: start pytest as root on a host with cgroup v2")
    assert path is not None
    (path / "login/cgroup.procs").write_text(str(os.getpid()))
    yield path
    (path.parent / "outside/cgroup.procs").write_text(str(os.getpid()))
