"""A store's directory that is another account's, or that others may write to: whoever owns it exchanges what is in it, and what a
configuration there says is mounted and run with all that is the caller's.

The stranger is one of our subordinate ids.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need_real_ids

_AS_ROOT = ["unshare", "--user", "--map-root-user", "--map-auto"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    need_real_ids("the stranger is one of them")
    found = tmp_path / "store"
    found.mkdir()
    yield found
    subprocess.run([*_AS_ROOT, "chown", "-hR", "0:0", str(found)], check=True, timeout=20)
    remove_tree(found)


def _give_away(path: Path) -> None:
    subprocess.run([*_AS_ROOT, "chown", "-h", "7:7", str(path)], check=True, timeout=20)


@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_a_strangers_directory_is_no_store(rootless: Rootless, place: Path, mode: int) -> None:
    place.chmod(mode)
    _give_away(place)
    for words in (["images"], ["ps", "-a"], ["bootstrap", "busybox"], ["volume", "create"]):
        done = rootless(*words, env={"ROOTLESS_ROOT": str(place)}, status=None)
        assert done.status != 0
        assert f"the store {place} belongs to " in done.stderr, words
    assert list(place.iterdir()) == []


def test_what_others_may_write_to_is_shut(rootless: Rootless, busybox_image: str, place: Path) -> None:
    place.chmod(0o2777)
    assert rootless("images", "-q", env={"ROOTLESS_ROOT": str(place)}).stdout == ""
    assert place.stat().st_mode & 0o7777 == 0o2755


def test_what_others_have_put_there_is_told(rootless: Rootless, place: Path) -> None:
    planted = place / "containers"
    planted.mkdir()
    _give_away(planted)
    place.chmod(0o777)
    for _ in range(2):
        done = rootless("ps", "-a", env={"ROOTLESS_ROOT": str(place)}, status=None)
        assert done.status != 0
        assert f"{planted} belongs to " in done.stderr


def test_roots_own_directory_is_told_with_a_remedy(rootless: Rootless) -> None:
    """It is trusted, and of no use: ROOTLESS_ROOT=/root stays behind where somebody was root before."""
    done = rootless("images", env={"ROOTLESS_ROOT": "/root"}, status=1)
    assert done.stderr.startswith("rootless: permission denied: /root/")
    assert "ROOTLESS_ROOT names another place" in done.stderr
