"""linux.cgroupsPath that this account cannot have: a warning where nothing depends on it, else an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.cgroup import subtrees
from rootless.oci.cgroup.cgroupfs import limit_above
from tests.harness import cgroups
from tests.need import need
from tests.oci.bundles import Runtime


def test_a_cgroup_that_cannot_be_had_is_told(oci: Runtime) -> None:
    """Without limits that is no error: containerd asks for one where nobody may make any."""
    oci.spec["linux"]["cgroupsPath"] = "/no/right/to/that"
    oci.create("sleep", "60")
    found = json.loads((oci.state / "c/state.json").read_text())["cgroup"]
    told = "linux.cgroupsPath: /no/right/to/that cannot be had" in (oci.bundle / "stderr").read_text()
    assert told == (found == "")


@pytest.fixture
def limited() -> Iterator[Path]:
    """A cgroup whose children are limited, and into which nothing of ours may move from where we are."""
    apart = cgroups.apart()
    need(apart is not None, "no cgroup out of reach: start pytest as root on a host with cgroup v2")
    assert apart is not None
    path = apart / "limited"
    path.mkdir()
    yield path
    path.rmdir()


def test_limits_above_a_cgroup_that_cannot_be_had_are_not_lost(oci: Runtime, limited: Path) -> None:
    """Whoever names the path relies on what is set above it, though the container asks for nothing itself."""
    name = f"/{limited.parent.name}/limited/c"
    oci.spec["linux"]["cgroupsPath"] = name
    oci.create("sleep", "60")
    assert f"linux.cgroupsPath: {name} cannot be had, the container has no cgroup" in (
        oci.bundle / "stderr"
    ).read_text()
    oci("delete", "--force", "c")
    (limited / "cgroup.max.descendants").write_text("4")
    done = oci("run", "--bundle", str(oci.bundle), "c", status=1)
    assert f"linux.cgroupsPath: {name} cannot be had, and the limit in " in done.stderr
    assert "/limited/cgroup.max.descendants would not hold for the container" in done.stderr


@pytest.mark.parametrize("resources", [{"memory": {"limit": 1 << 30}}, {"pids": {"limit": 10}}, {"cpu": {"quota": 5000}}])
def test_limits_in_a_cgroup_that_cannot_be_had_are_an_error(
    oci: Runtime, limited: Path, resources: dict[str, Any]
) -> None:
    oci.spec["linux"]["cgroupsPath"] = f"/{limited.parent.name}/limited/c"
    oci.spec["linux"]["resources"] = resources
    oci.write()
    done = oci("run", "--bundle", str(oci.bundle), "c", status=1)
    assert f"linux.resources.{next(iter(resources))}" in done.stderr
    assert "cannot be enforced" in done.stderr


@pytest.mark.parametrize(
    ("file", "value", "own", "found"),
    [
        ("pod/memory.max", "1000", "/login", "pod/memory.max"),
        ("pod/memory.max", "max", "/login", ""),
        ("pod/cpu.max", "5000 100000", "/login", "pod/cpu.max"),
        ("pod/cpu.max", "max 100000", "/login", ""),
        ("pods.slice/io.max", "8:0 rbps=1", "/login", ""),
        ("pod/io.max", "8:0 rbps=1", "/login", "pod/io.max"),
        ("pod/pids.max", "9", "/pod/login", ""),
        ("pod/cpuset.cpus", "0-1", "/po", "pod/cpuset.cpus"),
        ("memory.max", "9", "/login", ""),
    ],
)
def test_limits_above_are_those_that_do_not_hold_already(
    tmp_path: Path, file: str, value: str, own: str, found: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(value + "\n")
    known = subtrees.Facts(str(tmp_path), own, "", 1000)
    assert limit_above(f"{tmp_path}/pod/inner/c", known) == (f"{tmp_path}/{found}" if found else "")
