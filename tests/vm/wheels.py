"""The project's wheel, built from this checkout, and the wheels that it depends on, gathered on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.need import need
from tests.vm.image import PYTHON

SOURCE = Path(__file__).parents[2]
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "_helpers")
NOT_AT_THE_TOP = {"build", "dist", "tests", "benchmarks"}  # below it, rootless/build is ours
# Debian 12 has glibc 2.36; pip does not derive the older tags from the newest.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64")
LIMIT_S = 600


def build(directory: Path) -> Path:
    """Build the project's wheel into `directory`; its path. Works on a copy: building writes beside the source."""
    copy = directory / "source"
    shutil.copytree(SOURCE, copy, ignore=_left_out)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", directory, copy)
    shutil.rmtree(copy)
    (wheel,) = directory.glob("rootless-*.whl")
    return wheel


def _left_out(directory: str, names: list[str]) -> set[str]:
    return NOT_SOURCE(directory, names) | (NOT_AT_THE_TOP if Path(directory) == SOURCE else set())


def gather(wheel: Path, suite: str, directory: Path) -> None:
    """Put `wheel` and the wheels that it and its console need under the Python of `suite` into `directory`."""
    _pip(
        "download", "--dest", directory, "--only-binary=:all:", "--python-version", PYTHON[suite],
        *(f"--platform={platform}" for platform in PLATFORMS), f"{wheel}[console]",
    )  # fmt: skip


def _pip(*args: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=False,
    )  # fmt: skip
    need(done.returncode == 0, f"pip {args[0]} failed: {done.stdout[-3000:]}")
