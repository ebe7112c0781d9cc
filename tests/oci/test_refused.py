"""What this host has not, asked for: an error that names it by its JSON path, says why, and how to do without."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rootless.cgroup import subtrees
from rootless.errors import NotSupported
from rootless.oci.cgroup import systemd
from rootless.oci.config.bundle import has_selinux
from tests.need import need
from tests.oci.bundles import Runtime

LABEL = "system_u:object_r:x_t:s0"


@pytest.mark.parametrize(
    ("part", "key", "value", "why"),
    [
        ("linux", "intelRdt", {"closID": "x"}, "Intel RDT (resctrl) is real root's"),
        ("linux", "intelRdt", {}, "Intel RDT (resctrl) is real root's"),
        ("linux", "mountLabel", LABEL, "this host has no SELinux"),
        ("process", "selinuxLabel", LABEL, "this host has no SELinux"),
        ("process", "apparmorProfile", "nosuch-profile", ""),
    ],
)
def test_what_this_host_has_not_is_named(oci: Runtime, part: str, key: str, value: object, why: str) -> None:
    need("SELinux" not in why or not has_selinux(), "this host has SELinux")
    oci.spec[part][key] = value
    oci.write()
    with oci.unchanged():
        done = oci("run", "-b", str(oci.bundle), "c", status=1)
    assert f"{part}.{key}: {why}" in done.stderr
    if part == "process":
        del oci.spec[part][key]
        oci.create("sleep", "60")
        oci("start", "c")
        option = {"selinuxLabel": "--process-label", "apparmorProfile": "--apparmor"}[key]
        assert f"{key}: {why}" in oci("exec", option, str(value), "c", "true", status=255).stderr


def test_null_asks_for_no_resctrl(oci: Runtime) -> None:
    oci.spec["linux"]["intelRdt"] = None
    assert oci.run("true") == ""


def _without_a_session(oci: Runtime, *options: str) -> subprocess.CompletedProcess[str]:
    """As a batch job calls it: neither $DBUS_SESSION_BUS_ADDRESS nor $XDG_RUNTIME_DIR."""
    oci.write()
    return subprocess.run(
        ["env", "-u", "DBUS_SESSION_BUS_ADDRESS", "-u", "XDG_RUNTIME_DIR", str(oci.program),
         "--root", str(oci.state), *options, "run", "--bundle", str(oci.bundle), "c"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "path", "unit"),
    [
        (["--systemd-cgroup"], "", "rootless-oci-c.scope"),
        (["--cgroup-manager", "systemd"], "user.slice:batch:job", "batch-job.scope"),
        ([], "user.slice:batch:job", "batch-job.scope"),
    ],
)
def test_a_scope_without_systemd(oci: Runtime, options: list[str], path: str, unit: str) -> None:
    """No container without the scope that was asked for; the remedy is one that helps."""
    need(not Path("/run/systemd/system").exists(), "systemd runs here")
    need(bool(subtrees.mount_point()), "this host has no cgroup v2")
    if path:
        oci.spec["linux"]["cgroupsPath"] = path
    with oci.unchanged():
        done = _without_a_session(oci, *options)
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert f"cannot make the scope {unit}: no D-Bus of this user: /run/user/" in error
    assert "systemd does not run here" in hint
    assert "give --cgroup-manager cgroupfs" in hint
    helped = _without_a_session(oci, "--cgroup-manager", "cgroupfs")
    assert helped.returncode == 0
    assert helped.stderr == "" or f"warning: linux.cgroupsPath: {path} cannot be had" in helped.stderr


def test_a_scope_from_within_a_batch_job() -> None:
    """It would leave the job's cgroup, and with it the job's limits: not even tried."""
    job = "/system.slice/slurmstepd.scope/job_5/step_0/user/task_0"
    with pytest.raises(NotSupported) as told:
        systemd.demand(subtrees.Facts("/sys/fs/cgroup", job, f"0::{job}\n", 1000))
    assert told.value.message == "a scope of systemd would leave the cgroup of this job of Slurm"
    hint = told.value.hint or ""
    assert "ask the batch system for the limit" in hint
    assert "--cgroup-manager cgroupfs" in hint
    with pytest.raises(NotSupported) as told:
        systemd.demand(subtrees.Facts("", "", "4:memory:/\n", 1000))
    assert "no cgroup v2" in told.value.message
    assert "--cgroup-manager cgroupfs" in (told.value.hint or "")
    systemd.demand(subtrees.Facts("/sys/fs/cgroup", "/user.slice", "0::/user.slice\n", 1000))


def test_the_features_say_so(oci: Runtime) -> None:
    found: dict[str, Any] = json.loads(oci("features").stdout)["linux"]
    assert found["intelRdt"] == {"enabled": False}
    assert found["selinux"] == {"enabled": has_selinux()}
