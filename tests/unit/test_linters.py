"""The linter and the type checker, run as tests so that `./test` is the only gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.need import need

TREE = Path(__file__).parents[2]
CHECKED = ["rootless", "tests", "benchmarks"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "argv", [["ruff", "check", "--no-cache"], ["mypy", "--strict", "--cache-dir=/dev/null"]]
)
def test_source_is_clean(argv: list[str]) -> None:
    present = subprocess.run([sys.executable, "-m", argv[0], "--version"], capture_output=True, check=False)
    need(present.returncode == 0, f"{argv[0]} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", *argv, *CHECKED], cwd=TREE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
