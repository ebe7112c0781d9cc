"""What the attacks share: a static program of hostile verbs, and rooms to build traps in."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need_program, need_real_ids

SOURCE = Path(__file__).parent / "payload.c"

Attack = Callable[..., list[str]]


def compiled(name: str) -> Iterator[Path]:
    """A program of this directory, `name`.c, in a directory of its own."""
    directory = Path(tempfile.mkdtemp(prefix=f"rl-{name}-", dir="/var/tmp"))
    program, source = directory / name, Path(__file__).with_name(f"{name}.c")
    subprocess.run([need_program("cc"), "-static", "-O1", "-o", program, source], check=True, timeout=60)
    yield program
    remove_tree(directory)


@pytest.fixture(scope="session")
def payload() -> Iterator[Path]:
    """What hostile programs try: payload.c."""
    yield from compiled("payload")


@pytest.fixture(scope="session")
def observer() -> Iterator[Path]:
    """Who stops a command at every system call and looks into it: observe.c."""
    yield from compiled("observe")


@pytest.fixture
def attack(rootless: Rootless, busybox_image: str, payload: Path) -> Attack:
    """attack("verb", "arg", options=(...)) runs the payload in a container; its lines."""

    def run(*words: str, options: tuple[str, ...] = ("--network", "none")) -> list[str]:
        found = rootless(
            "run", "--rm", "-v", f"{payload}:/payload:ro", *options, busybox_image, "/payload", *words
        )
        return found.lines

    return run


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A directory on a disk for a hostile root file system, next to a `secret` of the host."""
    (tmp_path / "secret").write_text("the host's own")
    return tmp_path


@pytest.fixture
def stranger(user: User) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    """Run a command as another uid of this host: one of the subordinate ones, without capabilities."""

    need_real_ids("the stranger is one of them")

    def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
        other = ["unshare", "--user", "--map-root-user", "--map-auto", "setpriv", "--reuid=7", "--regid=7",
                 "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]  # fmt: skip
        return user.run([*other, *argv], env={**os.environ, "HOME": "/nonexistent"}, check=False)

    return run
