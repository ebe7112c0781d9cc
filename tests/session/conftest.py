"""Fixtures of the tests that need the kernel: a runtime directory and root of a session's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rootless import paths
from rootless.session import session
from tests.harness.account import User, has_subordinate_ids
from tests.harness.forked import forked
from tests.need import need, without_range


class Places(NamedTuple):
    runtime: Path  # RUNTIME, where the session's socket will be
    root: Path


def use(places: Places) -> None:
    """In a forked child: make `paths` find these, whatever this process knew before."""
    os.environ.update(XDG_RUNTIME_DIR=str(places.runtime.parent), ROOTLESS_ROOT=str(places.root))
    paths._runtime_dir = None
    paths._host_uid = None  # in a user namespace of the child's own it is another one than the test process once asked for


def stop_session(places: Places) -> None:
    def stop() -> None:
        use(places)
        session.stop()

    forked(stop)


@pytest.fixture
def places(user: User) -> Iterator[Places]:
    """Directories for one session, ended afterwards; the user has subordinate ids."""
    need(has_subordinate_ids(user) or without_range(), f"{user.name} has no subordinate ids, or newuidmap is missing")
    helper = Path(paths.__file__).parent / "_helpers/rootless-holder"
    need(helper.exists(), "the helper programs are not built")
    # In /tmp, not tmp_path: a socket's address has 107 bytes.
    base = Path(tempfile.mkdtemp(prefix="rl-session-", dir="/tmp"))
    made = Places(base / "rootless", base / "root")
    yield made
    stop_session(made)
    shutil.rmtree(base)
