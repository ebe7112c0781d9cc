"""Fixtures: `cluster`, Slurm's, for all tests here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.account import User
from tests.harness.trees import remove_tree
from tests.slurm.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(user: User) -> Iterator[Cluster]:
    # In /tmp, not tmp_path: a socket's address has 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="rl-slurm-", dir="/tmp"))
    found = Cluster(directory, user.name)
    try:
        yield found
    finally:
        found.close()
        remove_tree(directory)
