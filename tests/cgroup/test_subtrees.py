"""Which subtree, told from facts: batch jobs, own paths."""

from __future__ import annotations

import pytest

from rootless.cgroup import subtrees

SLURM = "0::/system.slice/slurmstepd.scope/job_12/step_0/user/task_0\n"
PBS = "3:memory:/pbspro/1.server\n0::/\n"
LOGIN = "0::/user.slice/user-1000.slice/session-3.scope\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SLURM, "Slurm"),
        ("4:memory:/slurm/uid_1000/job_5/step_batch\n0::/\n", "Slurm"),
        (PBS, "PBS"),
        ("0::/pbs_jobs.service/jobid/17.head\n", "PBS"),
        ("0::/system.slice/condor.service/htcondor/slot1_1@node\n", "HTCondor"),
        ("5:cpu:/lsf/cluster/job.7.1\n", "LSF"),
        (LOGIN, ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/slurm-notes.scope\n", ""),
        ("", ""),
    ],
)
def test_batch_systems(text: str, name: str) -> None:
    assert subtrees.batch_system(text) == name


def test_unit_of() -> None:
    manager = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service"
    assert subtrees.unit_of(f"{manager}/app.slice/rootless-unit.service/rootless-unit-2f") == "rootless-unit.service"
    assert subtrees.unit_of(f"{manager}/user.slice/rootless-web-2f.scope/container") == "rootless-web-2f.scope"
    assert subtrees.unit_of(f"{manager}/app.slice") == ""
    assert subtrees.unit_of("/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope") == ""


def test_own_path() -> None:
    assert subtrees.own_path(LOGIN) == "/user.slice/user-1000.slice/session-3.scope"
    assert subtrees.own_path("0::/a (deleted)\n") == "/a"
    assert subtrees.own_path("1:name=systemd:/\n") == ""


def test_a_job_is_never_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to a scope nor to an administrator's subtree."""
    monkeypatch.delenv(subtrees.ROOT_VARIABLE, raising=False)
    found = subtrees.search(subtrees.Facts("/sys/fs/cgroup", subtrees.own_path(SLURM), SLURM, 1000))
    assert found.batch == "Slurm"
    assert not [one for one in found.subtrees if one.how != "delegated"]
    assert "Slurm" in found.hint


def test_a_host_without_v2() -> None:
    found = subtrees.search(subtrees.Facts("", "", "1:cpu:/\n", 1000))
    assert found.subtrees == ()
    assert "unified_cgroup_hierarchy" in found.hint
