"""Archives that go where the host's users see them: a volume may be a directory of the host by another name."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless


def _evil() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        images.add(tar, "./", kind=tarfile.DIRTYPE, mode=0o6777, owner=1000)
        images.add(tar, "suid", b"#!/bin/sh\n", mode=0o6755)
        images.add(tar, "old", b"new", mode=0o4755)
        images.add(tar, "there/sgid", b"x", mode=0o2755)
        images.add(tar, "made", kind=tarfile.DIRTYPE, mode=0o2777)
    return buffer.getvalue()


@pytest.mark.own_store
def test_cve_2021_41089_by_volume_import(rootless: Rootless, tmp_path: Path) -> None:
    """No program of the caller's that others may run with the caller's rights; the directory stays the caller's."""
    place = tmp_path / "place"
    (place / "there").mkdir(parents=True, mode=0o700)
    place.chmod(0o700)
    (place / "old").write_text("old")
    rootless("volume", "create", "data", "-o", "type=none", "-o", "o=bind", "-o", f"device={place}")
    rootless("volume", "import", "data", "-", stdin=_evil())
    assert (place / "old").read_text() == "new"
    for path in (place, *place.rglob("*")):
        status = path.lstat()
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID), path
        assert status.st_uid == os.getuid(), path
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    rootless("volume", "rm", "data")
    assert place.is_dir()
