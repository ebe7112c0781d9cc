"""The project's wheel, built from this checkout, and the wheels that it depends on, gathered on the host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.need import need
from tests.vm.image import PYTHON

WHEELS = Path(__file__).parents[2] / "packaging/wheels.py"
# Debian 12 has glibc 2.36; pip does not derive the older tags from the newest.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64")
LIMIT_S = 600


def build(directory: Path) -> Path:
    """Build the project's source distribution and wheel into `directory`; the wheel's path."""
    _run(WHEELS, directory, "--no-build-isolation")
    (wheel,) = directory.glob("rootless-*.whl")
    return wheel


def gather(wheel: Path, suite: str, directory: Path) -> None:
    """Put `wheel` and the wheels that it and its console need under the Python of `suite` into `directory`."""
    _run("-m", "pip", "download", "--dest", directory, *_for(suite), f"{wheel}[console]")


def unpack(suite: str, directory: Path, *names: str) -> None:
    """Put the packages of these names, and what they need, as the Python of `suite` imports them into `directory`."""
    _run("-m", "pip", "install", "--quiet", "--target", directory, *_for(suite), *names)


def _for(suite: str) -> list[str]:
    return ["--only-binary=:all:", "--python-version", PYTHON[suite], *(f"--platform={platform}" for platform in PLATFORMS)]


def _run(*args: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=False,
    )  # fmt: skip
    need(done.returncode == 0, f"{args}: {done.stdout[-3000:]}")
