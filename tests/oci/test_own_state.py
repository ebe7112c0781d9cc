"""A container that has the state directory in what is mounted: what is written there says whom `kill` signals and which hooks `delete`
runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oci.bundles import Runtime

SCRIPT = "cd /shown; ls $0; touch $0/forged; mv $0 away; ls away; true"


@pytest.mark.parametrize("by_link", [False, True])
def test_a_mount_of_what_it_lies_in(oci: Runtime, directory: Path, by_link: bool) -> None:
    source = directory
    if by_link:
        source = directory / "link"
        source.symlink_to(directory)
    oci.spec["mounts"].append({"destination": "/shown", "type": "bind", "source": str(source), "options": ["rbind", "rw"]})
    assert oci.run("sh", "-c", SCRIPT, oci.state.name) == ""
    assert not (oci.state / "forged").exists()


def test_one_that_is_named_itself(oci: Runtime) -> None:
    oci.state.mkdir(mode=0o700)
    oci.spec["mounts"].append({"destination": "/shown", "type": "bind", "source": str(oci.state), "options": ["rbind", "ro"]})
    assert oci.run("sh", "-c", "ls /shown") == "c\n"
