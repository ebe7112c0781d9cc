"""A caller who may open very few files: errors, and nothing left."""

from __future__ import annotations

import pytest

from tests.harness.command import Rootless


@pytest.mark.parametrize("count", [6, 8, 10, 13, 16, 20, 30])
def test_a_run_that_fails_leaves_nothing(rootless: Rootless, busybox_image: str, count: int) -> None:
    argv = rootless.argv
    try:
        rootless.argv = ["sh", "-c", f'ulimit -n {count}; exec "$@"', "sh", *argv]
        done = rootless("run", "--rm", "--network", "none", busybox_image, "true", status=None)
    finally:
        rootless.argv = argv
    assert done.status == 0 or "removed" not in done.stderr, "why it failed is told, not what came after"
    assert rootless("ps", "-aq").stdout == ""
    rootless("run", "--rm", "--network", "none", busybox_image, "true")  # sweeps what could not be deleted
