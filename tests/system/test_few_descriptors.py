"""A caller who may open very few files, or make no process: errors, and nothing left."""

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


def test_no_more_processes(rootless: Rootless, busybox_image: str) -> None:
    """What has to make one says what the limit is; what does not, works."""
    rootless("create", "--name", "later", "--network", "none", busybox_image, "true")
    rootless("run", "-d", "--name", "runs", "--network", "none", busybox_image, "sleep", "1000")
    argv = rootless.argv
    try:
        rootless.argv = ["prlimit", "--nproc=1:1", *argv]
        for words in (("start", "later"), ("exec", "runs", "true"), ("run", "--rm", "--network", "none", busybox_image, "true")):
            done = rootless(*words, status=None)
            assert done.status in (1, 125), words
            assert "the host is short of processes or memory" in done.stderr
            assert "hint: `ulimit -u` is how many" in done.stderr
        rootless("stop", "-t", "0", "runs")
        rootless("rm", "runs")
    finally:
        rootless.argv = argv
    rootless("start", "-a", "later")
    rootless("rm", "later")
