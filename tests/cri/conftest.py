"""Fixtures: `containerd`, a daemon with the images busybox:latest and localhost/pause:1, which `rootless save` wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cri.containerd import Containerd, save_images, started
from tests.cri.pod import Pod, pods_of
from tests.harness import account
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need


@pytest.fixture(scope="package")
def pod_images(user: User, busybox_archive: Path) -> Iterator[Path]:
    """The archive of both images."""
    need(account.has_subordinate_ids(user), f"{user.name} has no subordinate ids")
    root = Path(tempfile.mkdtemp(prefix="rl-", dir="/var/tmp"))
    runtime = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    command = Rootless(root, runtime)
    try:
        command("load", "-i", busybox_archive)
        yield save_images(command, root / "images.tar")
    finally:
        command.close()
        remove_tree(root)
        remove_tree(runtime)


@pytest.fixture(scope="module")
def containerd(pod_images: Path) -> Iterator[Containerd]:
    """A daemon for the tests of a module, which asks for no cgroup: it may make none."""
    with started(pod_images) as daemon:
        yield daemon


@pytest.fixture
def pod(containerd: Containerd) -> Iterator[Callable[..., Pod]]:
    with pods_of(containerd) as make:
        yield make
