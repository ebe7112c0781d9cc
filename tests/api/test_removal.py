"""What is refused in moby's words: a second removal, and limits of a build that are none."""

from __future__ import annotations

import fcntl
import os

from tests.harness.api import Make, Service


def test_a_removal_that_is_under_way(service: Service, make: Make) -> None:
    """dev containers try again by these words; what another process does is told by its lock."""
    identifier = make()
    containers = service.rootless.root / "containers"
    held = os.open(containers / identifier, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    words = f"removal of container {identifier} is already in progress"
    assert words in service("DELETE", f"/containers/{identifier}?force=1", status=409).message
    assert words in service.rootless("rm", "-f", identifier, status=1).stderr
    os.rename(containers / identifier, containers / f".rm-{identifier}")
    assert words in service("DELETE", f"/containers/{identifier}", status=409).message
    assert "already in progress" in service("DELETE", f"/containers/{identifier[:12]}", status=409).message
    os.rename(containers / f".rm-{identifier}", containers / identifier)
    os.close(held)
    service("DELETE", f"/containers/{identifier}", status=204)
    service("DELETE", f"/containers/{identifier}", status=404)


def test_a_builds_limits_are_not_below_zero(service: Service) -> None:
    for word in ("memory=-1", "memory=-5", "memswap=-2", "cpushares=-1", "cpuperiod=-7", "cpuquota=-9"):
        assert "below zero" in service("POST", f"/build?{word}", b"", status=400).message
