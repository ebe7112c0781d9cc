"""Fixtures: `cluster`, Slurm's, for all tests here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.slurm.cluster import Cluster


@contextlib.contextmanager
def _running(user: User) -> Iterator[Cluster]:
    # In /tmp, not tmp_path: a socket's address has 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="rl-slurm-", dir="/tmp"))
    found = Cluster(directory, user.name)
    try:
        yield found
    finally:
        found.close()
        remove_tree(directory)


@pytest.fixture(scope="session")
def cluster(user: User) -> Iterator[Cluster]:
    with _running(user) as found:
        yield found


@pytest.fixture
def own_cluster(user: User) -> Iterator[Cluster]:
    """One whose nodes are the test's to kill."""
    with _running(user) as found:
        yield found


@pytest.fixture
def job_environment(rootless: Rootless) -> Iterator[dict[str, str]]:
    """The command's, for jobs, as a user has it there; `rootless` alone is the command."""
    environment = rootless.environment
    yield {**environment, "PATH": f"{os.path.dirname(rootless.argv[0])}:{environment['PATH']}"}
    rootless("unshare", "true")  # the session's holder for no job, by which all of them are ended
