"""tests/system/rank.c, compiled: what an MPI library does, in a program that runs in any image."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.need import need

SOURCE = Path(__file__).parents[1] / "system/rank.c"


def program(directory: Path) -> Path:
    """The static program, in `directory`."""
    compiler = shutil.which("gcc")
    need(compiler is not None, "gcc is not installed")
    assert compiler is not None
    made = directory / "rank"
    subprocess.run([compiler, "-O1", "-Wall", "-static", "-o", made, SOURCE], check=True)
    return made
