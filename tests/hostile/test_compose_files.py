"""Compose files that another account has put where `compose` looks for them without being told: /tmp, and the directories above."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need_real_ids

_AS_ROOT = ["unshare", "--user", "--map-root-user", "--map-auto"]
_PROJECT = "services: {a: {image: busybox, command: echo SECRET}}\n"


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A directory like /tmp."""
    need_real_ids("the stranger is one of them")
    found = tmp_path / "shared"
    found.mkdir()
    found.chmod(0o1777)
    yield found
    subprocess.run([*_AS_ROOT, "chown", "-hR", "0:0", str(found)], check=True, timeout=20)
    remove_tree(found)


def _strangers(path: Path, text: str = _PROJECT) -> None:
    path.write_text(text)
    path.chmod(0o644)
    subprocess.run([*_AS_ROOT, "chown", "-h", "7:7", str(path)], check=True, timeout=20)


@pytest.mark.parametrize("mode", [0o1777, 0o755])
def test_one_above(rootless: Rootless, shared: Path, mode: int) -> None:
    """As git's safe.directory (CVE-2022-24765)."""
    shared.chmod(mode)
    (shared / "mine").mkdir()
    _strangers(shared / "compose.yaml")
    done = rootless("compose", "config", cwd=shared / "mine", status=None)
    assert done.status != 0
    assert f"{shared}/compose.yaml belongs to another user" in done.stderr
    assert "SECRET" not in done.stdout + done.stderr
    assert "SECRET" in rootless("compose", "-f", shared / "compose.yaml", "config", cwd=shared / "mine").stdout


@pytest.mark.parametrize("name", ["compose.yaml", "compose.override.yaml", ".env"])
def test_one_where_all_may_write(rootless: Rootless, shared: Path, name: str) -> None:
    if name != "compose.yaml":
        (shared / "compose.yaml").write_text(_PROJECT)
    _strangers(shared / name, "COMPOSE_FILE=/nowhere\n" if name == ".env" else _PROJECT)
    done = rootless("compose", "config", cwd=shared, status=None)
    assert done.status != 0
    assert f"{shared}/{name} belongs to another user" in done.stderr


def test_a_colleagues_project(rootless: Rootless, shared: Path) -> None:
    """Whoever goes into another's directory means what is there."""
    shared.chmod(0o755)
    _strangers(shared / "compose.yaml")
    assert "SECRET" in rootless("compose", "config", cwd=shared).stdout
