"""The helper programs as processes: no mocks, nothing of the package but the binaries.

ROOTLESS_HELPERS names another directory to take them from (a build with sanitizers).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Monitor
from tests.need import need

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def helpers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the binaries under test, built from the sources as they are now."""
    named = os.environ.get("ROOTLESS_HELPERS")
    if named:
        return Path(named)
    need(importlib.util.find_spec("setuptools"), "setuptools is not installed")
    build = tmp_path_factory.mktemp("build")
    subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", "build_helpers", "--werror", "--build-lib", build],
        cwd=REPOSITORY,
        check=True,
        timeout=100,
    )
    build.chmod(0o755)
    return build / "rootless" / "_helpers"


@pytest.fixture
def monitor(helpers: Path, tmp_path: Path) -> Iterator[Monitor]:
    made = Monitor(helpers / "rootless-monitor", tmp_path / "c")
    yield made
    made.stop()
