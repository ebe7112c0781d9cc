"""Trees to copy between."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.storage.store import Store
from tests.build.copy.copying import Trees
from tests.harness.trees import remove_tree
from tests.storage.conftest import joined as joined
from tests.storage.conftest import session_runtime as session_runtime
from tests.storage.conftest import store as store
from tests.storage.joined import Joined


@pytest.fixture
def trees(store: Store, joined: Joined) -> Iterator[Trees]:
    """A context and a root, on a disk, and a COPY between them."""
    base = Path(tempfile.mkdtemp(prefix="rl-copy-", dir="/var/tmp"))
    base.chmod(0o755)
    old = os.umask(0o022)
    yield Trees(base, store, joined)
    os.umask(old)
    remove_tree(base)
