"""Called by root of a user namespace that somebody else made (rootlesskit, Podman), where a container makes none of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.account import SYSTEM_PATH
from tests.oci.bundles import Runtime


def as_root(oci: Runtime, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A shell as root of a new user namespace of one id, whose `run` is `rootless-oci run` of the bundle."""
    oci.write()
    script = f'run() {{ {oci.program} --root {oci.state} run --bundle {oci.bundle} c; }}\n{script}'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-ec", script, "sh", *arguments],
        env={"PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}", "XDG_RUNTIME_DIR": str(oci.bundle)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def plain(oci: Runtime) -> Runtime:
    """The bundle, for a container in its caller's user namespace."""
    linux = oci.spec["linux"]
    linux["namespaces"].remove({"type": "user"})
    del linux["uidMappings"], linux["gidMappings"]
    return oci


def mount_of(spec: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in spec["mounts"] if entry["destination"] == path)
    return found


def test_the_group_of_terminals_has_no_id(plain: Runtime) -> None:
    """containerd asks devpts for gid=5 always; the kernel would refuse the mount."""
    mount_of(plain.spec, "/dev/pts")["options"].append("gid=5")
    look = "grep ' /dev/pts ' /proc/self/mountinfo > /data/seen; grep -c ptmxmode=666 /data/seen; grep -c gid= /data/seen"
    plain.spec["process"]["args"] = ["sh", "-c", look]
    done = as_root(plain, "run || test $? = 1")
    assert done.stdout == "1\n0\n"
    assert "mounts[2].options: gid=5 is left out: the container has no such group" in done.stderr


def test_a_group_that_has_an_id_stays(plain: Runtime) -> None:
    mount_of(plain.spec, "/dev/pts")["options"].append("gid=0")
    plain.spec["process"]["args"] = ["sh", "-c", "grep -c ' /dev/pts .*gid=' /proc/self/mountinfo"]
    done = as_root(plain, "run")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_mounts_with_other_ids_are_real_roots(plain: Runtime) -> None:
    """`features` is what containerd asks before it gives a pod a user namespace."""
    done = as_root(plain, f"{plain.program} features")
    assert json.loads(done.stdout)["linux"]["mountExtensions"] == {"idmap": {"enabled": False}}


@pytest.mark.parametrize(("word", "from_container", "from_host"), [("rshared", 1, 1), ("rslave", 0, 1), ("rprivate", 0, 0)])
def test_what_is_mounted_later_on_the_other_side(plain: Runtime, directory: Path, word: str, from_container: int, from_host: int) -> None:
    """As with runc: shared both ways, slave from the host to the container, private neither."""
    plain.spec["mounts"].append({"destination": "/volume", "type": "bind", "source": str(directory / "source"), "options": ["rbind", word]})
    plain.spec["linux"]["rootfsPropagation"] = word
    for kind in ("bounding", "effective", "permitted"):
        plain.spec["process"]["capabilities"][kind] = ["CAP_SYS_ADMIN"]
    # Each side mounts, says so by a file that is no mount, and waits for the other's.
    plain.spec["process"]["args"] = ["sh", "-ec", "mount -t tmpfs made /volume/inner; touch /volume/told; "
        "until test -e /volume/answered; do sleep 0.1; done; grep -c ' /volume/outer ' /proc/self/mountinfo || true"]  # fmt: skip
    script = """mkdir $1; mount -t tmpfs source $1; mount --make-rshared $1; mkdir $1/inner $1/outer
        run > $1.out & until test -e $1/told; do sleep 0.1; done
        grep -c " $1/inner " /proc/self/mountinfo || true
        mount -t tmpfs later $1/outer; touch $1/answered; wait $!; cat $1.out"""
    done = as_root(plain, script, str(directory / "source"))
    assert done.stdout == f"{from_container}\n{from_host}\n"
