"""Client programs from PyPI and npm, at versions that are fixed beside this file; kept in the account's cache between runs.

They are in an environment of their own: what they bring is no business of the tests' own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.need import need

HERE = Path(__file__).parent
INSTALL_S = 900.0


def python(cache: Path) -> Path:
    """The interpreter of an environment with requirements.txt."""
    return _environment(cache, "requirements.txt") / "bin/python"


def python_full(cache: Path) -> Path:
    """The interpreter of one with requirements-full.txt; `node` lies beside it."""
    return _environment(cache, "requirements-full.txt") / "bin/python"


def node(cache: Path, program: Path) -> Path:
    """The node_modules of package-lock.json, for the Node `program`, whose npm lies beside it."""
    lock = HERE / "node/package-lock.json"
    place = cache / f"clients-node-{_digest(lock)}"
    if not place.exists():
        aside = _aside(place)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, aside)
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        _run([str(program.with_name("npm")), *words], aside, {**os.environ, **path})
        aside.rename(place)
    return place / "node_modules"


def _environment(cache: Path, requirements: str) -> Path:
    wanted = HERE / requirements
    tag = f"{sys.implementation.cache_tag}-{_digest(wanted)}"
    place = cache / f"{wanted.stem.replace('requirements', 'clients')}-{tag}"
    ready = place / "ready"
    if not ready.exists():  # a virtual environment cannot be renamed: its programs name it
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(place)], cache, dict(os.environ))
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "install", "-q", "--no-compile"]
        _run([*pip, "-r", str(wanted)], cache, {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
        ready.touch()
    return place


def _run(argv: list[str], directory: Path, environment: dict[str, str]) -> None:
    """Run, or say what could not be installed: without the registries these tests are skipped."""
    done = subprocess.run(
        argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    need(done.returncode == 0, f"the client programs cannot be installed: {' '.join(argv)}: {done.stderr[-1500:]}")


def _aside(place: Path) -> Path:
    aside = place.with_suffix(f".{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    return aside


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
