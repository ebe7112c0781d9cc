"""A home whose file server refuses or does not answer: who is told so, and what goes on without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.system.test_two_places import fuse_home, nodes  # noqa: F401 - fixtures


@pytest.mark.own_store
def test_a_server_that_refuses(rootless: Rootless, busybox_archive: Path, fuse_home: Path, nodes: list[Path]) -> None:  # noqa: F811
    """As an export that was withdrawn, what is the user's own is refused to him: what would be made there says whose server it is."""
    store = fuse_home / "store"
    environment = {"ROOTLESS_ROOT": str(store), "ROOTLESS_LOCAL": str(nodes[0])}
    rootless("load", "-q", "-i", busybox_archive, env=environment)
    rootless("rmi", "busybox", env=environment)
    served = fuse_home.parent / "upper/store"
    served.chmod(0)
    try:
        for words in (("load", "-q", "-i", busybox_archive), ("volume", "create", "data")):
            error = rootless(*words, env=environment, status=1).stderr
            assert "permission denied" in error.lower(), words
            assert f"the server of {fuse_home} (fuse.fuse-overlayfs) says so" in error
            assert f"or to mount {fuse_home} again" in error
    finally:
        served.chmod(0o700)
