"""What a process that enters a container can still import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import rootless
from rootless import bytecode, compilation

PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from rootless import bytecode
bytecode.install()
from rootless.runtime import descriptors
if sys.argv[2] == 'closed':
    descriptors.keep_only(())
    # What stands at the number of the file of bytecode now is anybody's.
    while os.open(sys.argv[3], os.O_RDONLY) < 20:
        pass
descriptors.stop_importing()
for name in ('colorsys', 'rootless.paths', 'certainly_nowhere'):
    try:
        __import__(name)
        print(name)
    except ModuleNotFoundError:
        pass
"""


def imported(directory: Path, how: str, *options: str) -> list[str]:
    evil = directory / "evil.bin"
    evil.write_bytes(Path(compilation.write(str(directory / "rootless"))).read_bytes())
    done = subprocess.run(
        [sys.executable, "-B", *options, "-c", PROGRAM, directory, how, evil],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_nothing_is_found_by_path_any_more(tmp_path: Path) -> None:
    source = Path(rootless.__file__).parent
    shutil.copytree(source, tmp_path / "rootless", ignore=shutil.ignore_patterns("__pycache__", bytecode.DIRECTORY, "_helpers"))
    assert imported(tmp_path, "open") == ["rootless.paths"]
    assert imported(tmp_path, "open", "-S") == ["rootless.paths"]
    # The very bytes of our own file, so that it is found if it is looked for.
    assert imported(tmp_path, "closed") == imported(tmp_path, "closed", "-S") == []
