"""Removing what a store leaves: files of ids that are the user's only inside a user namespace."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.harness.account import ALL_IDS


def remove_tree(path: Path) -> None:
    """Remove a tree that may hold files of subordinate ids, and nothing if it is not there."""
    with contextlib.suppress(RecursionError):  # a tree too deep for it: rm(1) is not bounded
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        as_owner = [*ALL_IDS, "rm", "-rf", str(path)]
        subprocess.run(as_owner, check=False, timeout=60, capture_output=True)
