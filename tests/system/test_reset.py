"""`system reset`: what was ours is gone, and nothing else."""

from __future__ import annotations

import pytest

from tests.harness.command import Rootless


@pytest.mark.own_store
def test_everything_is_gone(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "up", "--network", "none", busybox_image, "sleep", "1000")
    rootless("run", "--name", "ended", "--network", "none", "-v", "data:/data", busybox_image, "touch", "/data/file")
    strange = rootless.root / "mine.txt"
    strange.write_text("a user's own")
    rootless("system", "reset", "--force")
    assert [path.name for path in rootless.root.iterdir()] == ["mine.txt"]
    strange.unlink()
    rootless("system", "reset", "--force")
    assert not rootless.root.exists()
