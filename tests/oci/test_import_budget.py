"""`rootless-oci` is started for every container: it imports what the engine's quick commands may, no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.test_import_budget import FORBIDDEN

PROBE = """
import sys
before = set(sys.modules)
from rootless.oci.main import _load
_load(sys.argv[1])
print('\\n'.join(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("name", ["create", "start", "state", "kill", "delete", "run", "exec"])
def test_the_hot_path(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, name], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {module for module in done.stdout.split() if module.partition(".")[0] in FORBIDDEN}
    assert not heavy
