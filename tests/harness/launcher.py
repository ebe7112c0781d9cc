"""The commands `rootless` and `rootless-oci` as the build makes them, without an installation."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.need import need

REPOSITORY = Path(__file__).resolve().parents[2]


def build_commands(directory: Path) -> Path:
    """Build them into `directory`, with rootless-python. Returns `directory`/rootless-oci."""
    need(importlib.util.find_spec("setuptools"), "setuptools is not installed")
    subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", "build_scripts", "--build-dir", directory],
        cwd=REPOSITORY, check=True, timeout=100, env={**os.environ, "CFLAGS": "-Werror"},
    )  # fmt: skip
    assert sorted(path.name for path in directory.iterdir()) == ["rootless", "rootless-oci", "rootless-python"]
    return directory / "rootless-oci"
