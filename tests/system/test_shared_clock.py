"""A store that machines share whose clocks differ: nothing is taken for old that its server's clock says is young.

The clock is set for the command alone (test_far_clock.py): files get the kernel's times, as a server's, and the command has another idea.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_far_clock import library  # noqa: F401 - a fixture
from tests.system.test_two_places import NOW, nodes  # noqa: F401 - a fixture

DAY_S = 86_400


def clock(library: Path, shift_s: int) -> dict[str, str]:  # noqa: F811
    return {"LD_PRELOAD": str(library), "TEST_CLOCK_SHIFT_S": str(shift_s)}


@pytest.mark.own_store
def test_a_machine_that_is_ahead(rootless: Rootless, busybox_archive: Path, nodes: list[Path], library: Path) -> None:  # noqa: F811
    """It sweeps and evicts while another one writes; what is old by the server's clock goes all the same."""
    need_program("squashfuse_ll")
    other, ahead = {"ROOTLESS_LOCAL": str(nodes[0])}, {"ROOTLESS_LOCAL": str(nodes[1]), **clock(library, 3 * DAY_S)}
    rootless("load", "-q", "-i", busybox_archive, env=other)
    root = rootless.root
    (file,) = (root / "images/sqfs").iterdir()
    rootless("volume", "create", "data", env=other)
    volume = root / "volumes/.new-1-0123456789ab"
    volume.mkdir()
    written = [root / "blobs/sha256" / ("a" * 64), root / "blobs/partial" / ("b" * 64), file.with_name(".new-0123"), volume / "volume.json"]
    for path in written:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"being written")
    capped = {**ahead, "ROOTLESS_CACHE_MAX": "1K", "ROOTLESS_CACHE_DAYS": "1"}
    rootless("load", "-q", "-i", busybox_archive, env=capped, warns=True)
    rootless("image", "prune", "-f", env=ahead, warns=True)
    rootless("volume", "prune", "-f", env=ahead, warns=True)
    assert [path for path in (*written, file) if not path.exists()] == []
    for path in (*written, volume):
        os.utime(path, (0, time.time() - 2 * DAY_S))
    behind = {"ROOTLESS_LOCAL": str(nodes[1]), **clock(library, -3 * DAY_S)}
    rootless("image", "prune", "-f", env=behind, warns=True)
    rootless("volume", "prune", "-f", env=behind, warns=True)
    assert [path for path in written if path.exists()] == []


@pytest.mark.own_store
@pytest.mark.parametrize("shift_s", [-3 * DAY_S, 3 * DAY_S])
def test_a_use_is_noted_by_the_servers_clock(
    rootless: Rootless, busybox_archive: Path, nodes: list[Path], library: Path, shift_s: int  # noqa: F811
) -> None:
    """So that no other machine takes the image for unused, or its file."""
    need_program("squashfuse_ll")
    rootless("load", "-q", "-i", busybox_archive, env={"ROOTLESS_LOCAL": str(nodes[0])})
    (file,) = (rootless.root / "images/sqfs").iterdir()
    (record,) = (rootless.root / "images/by-id").iterdir()
    now = time.time()
    old = now - 2.5 * DAY_S
    for path in (file, record):
        os.utime(path, (old, old))
    rootless("run", "--rm", *NOW, "busybox", "true", env={"ROOTLESS_LOCAL": str(nodes[1]), **clock(library, shift_s)}, warns=True)
    for used, of in ((file.stat().st_atime, file), (record.stat().st_mtime, record)):
        assert now - DAY_S < used < now + DAY_S, of  # the shifted clock is three days away
    assert file.stat().st_mtime == pytest.approx(old, abs=1)
