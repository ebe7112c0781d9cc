"""A subtree that the user names, by $ROOTLESS_CGROUP_ROOT or --cgroup-parent: that one or an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness import cgroups
from tests.harness.command import Rootless
from tests.need import need

SLEEP = ("busybox", "sleep", "300")


@pytest.fixture
def apart() -> Path:
    """A cgroup that is ours to divide, and where the kernel lets us not move in from here."""
    path = cgroups.apart()
    need(path is not None, "no delegated cgroup: start pytest as root on a host with cgroup v2")
    assert path is not None
    return path


def test_the_variable_from_within(rootless: Rootless, delegated: Path, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "named", *SLEEP, env={"ROOTLESS_CGROUP_ROOT": str(delegated)})
    cgroup = json.loads(rootless("inspect", "named").stdout)[0]["HostConfig"]["Cgroup"]
    rootless("rm", "-f", "named")
    assert Path(cgroup).parent == delegated


def test_one_that_is_ours_but_out_of_reach(rootless: Rootless, apart: Path, busybox_image: str) -> None:
    told = rootless(
        "run", "--rm", "busybox", "true", env={"ROOTLESS_CGROUP_ROOT": str(apart)}, status=125
    ).stderr
    assert "$ROOTLESS_CGROUP_ROOT cannot be used" in told
    assert f"run this from within {apart}" in told
    assert not [entry for entry in apart.iterdir() if entry.name.startswith("rootless-")]
    told = rootless(
        "run", "--rm", "--cgroup-parent", "team", "busybox", "true",
        env={"ROOTLESS_CGROUP_ROOT": str(apart)}, status=125,
    ).stderr  # fmt: skip
    assert "--cgroup-parent team cannot be used" in told
    (apart / "team").rmdir()
    rootless("run", "--rm", "busybox", "true")  # not named: none is no error


def test_one_that_is_not_ours(rootless: Rootless, apart: Path, busybox_image: str) -> None:
    named = apart.parent
    told = rootless(
        "run", "--rm", "busybox", "true", env={"ROOTLESS_CGROUP_ROOT": str(named)}, status=125
    ).stderr
    assert f"{named} is not a cgroup that this account may divide" in told
    for nonsense in ("/nowhere", "../..", "no/such/place"):
        environment = {"ROOTLESS_CGROUP_ROOT": nonsense}
        told = rootless("run", "--rm", "busybox", "true", env=environment, status=125).stderr
        assert "$ROOTLESS_CGROUP_ROOT: " in told
