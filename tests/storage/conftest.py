"""Fixtures of the storage tests: a store of the test's own, and code run inside a real session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rootless import paths
from rootless.session import session
from rootless.storage.store import Store
from tests.harness.account import User, has_subordinate_ids
from tests.harness.forked import forked
from tests.harness.trees import remove_tree
from tests.need import need, without_range
from tests.storage.joined import Joined, T


@pytest.fixture
def store(user: User) -> Iterator[Store]:
    """An empty store on a disk."""
    base = Path(tempfile.mkdtemp(prefix="rl-store-", dir="/var/tmp"))
    yield Store.open(str(base / "root"), str(base / "run"))
    remove_tree(base)


@pytest.fixture(scope="session")
def session_runtime(user: User) -> Iterator[Path]:
    """Where the session of these tests has its socket; it ends with the last of them."""
    need(has_subordinate_ids(user) or without_range(), f"{user.name} has no subordinate ids, or newuidmap is missing")
    need((Path(paths.__file__).parent / "_helpers/rootless-holder").exists(), "the helpers are not built")
    base = Path(tempfile.mkdtemp(prefix="rl-session-", dir="/tmp"))
    yield base

    def stop() -> None:
        _use(base)
        session.stop()

    forked(stop)
    shutil.rmtree(base)


def _use(base: Path) -> None:
    os.environ.update(XDG_RUNTIME_DIR=str(base), ROOTLESS_ROOT=str(base / "root"))
    paths._runtime_dir = None


@pytest.fixture
def joined(session_runtime: Path) -> Joined:
    """joined(action): what `action` returns or raises, in a child that is root of the session."""

    def run(action: Callable[[], T]) -> T:
        def inside() -> T:
            _use(session_runtime)
            session.join()
            return action()

        return forked(inside, timeout_s=100)

    return run
