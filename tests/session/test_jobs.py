"""Batch jobs: each has a session's holder of its own, since a cluster ends a job with all of its processes."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from rootless import paths
from rootless.session import session
from tests.harness.forked import forked
from tests.harness.processes import wait_until
from tests.session.conftest import Places, use
from tests.session.sessions import holder_pid, kill_and_wait

_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "JOB_ID", "SGE_ROOT")


def in_job(places: Places, number: int) -> tuple[str, int]:
    """A command of Slurm's job: its RUNTIME, and the session's user namespace."""

    def child() -> tuple[str, int]:
        os.environ["SLURM_JOB_ID"] = str(number)
        use(places)
        session.join()
        return paths.runtime_dir(), paths.user_namespace()

    found: tuple[str, int] = forked(child)
    return found


def of_job(places: Places, number: int) -> Places:
    return Places(places.runtime.with_name(f"rootless-job-slurm-{number}"), places.root)


def stop(places: Places, *jobs: int) -> None:
    def child() -> None:
        os.environ["SLURM_JOB_ID"] = str(jobs[0])
        use(places)
        session.stop()

    forked(child)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, ""), ({"SLURM_JOB_ID": "1234"}, "slurm-1234"), ({"PBS_JOBID": "77[3].head"}, "pbs-77_3_.head"), ({"LSB_JOBID": "9"}, "lsf-9"),
        ({"FLUX_JOB_ID": "ƒ2Xb/../x"}, "flux-_2Xb_.._x"), ({"JOB_ID": "5"}, ""), ({"JOB_ID": "5", "SGE_ROOT": "/opt/sge"}, "sge-5"),
        ({"SLURM_JOB_ID": "x" * 99}, "slurm-" + "x" * 40),
    ],
)  # fmt: skip
def test_the_name_of_a_job(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str) -> None:
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert paths.job() == name


def test_a_job_that_is_killed_takes_no_other_ones_session(places: Places) -> None:
    of_one = process_of(1)
    one, namespace = in_job(places, 1)
    two, same = in_job(places, 2)
    try:
        assert (one, two) == (str(of_job(places, 1).runtime), str(of_job(places, 2).runtime))
        assert namespace == same, "files of one user belong to the same ids in both"
        assert holder_pid(of_job(places, 1)) != (kept := holder_pid(of_job(places, 2)))
        kill_and_wait(holder_pid(of_job(places, 1)))
        assert in_job(places, 2) == (two, namespace)
        assert holder_pid(of_job(places, 2)) == kept
    finally:
        end(of_one)
        stop(places, 2)


def process_of(number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], env={"SLURM_JOB_ID": str(number), "PATH": os.environ["PATH"]})


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def left_behind(directory: Path) -> Path:
    """The RUNTIME of a job that was killed an hour ago, with a container's."""
    (directory / "c/0123").mkdir(parents=True)
    directory.chmod(0o700)
    (directory / "session.lock").touch()
    for path in (directory / "session.sock", directory / "c/0123/attach.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            listener.listen()
    an_hour_ago(directory)
    return directory


def an_hour_ago(directory: Path) -> None:
    then = os.stat(directory).st_mtime - 3600
    os.utime(directory, (then, then))


def test_what_a_killed_job_left_is_swept_by_the_next(places: Places) -> None:
    beside = places.runtime.parent
    in_job(places, 2)
    of_two = process_of(2)
    try:
        an_hour_ago(beside / "rootless-job-slurm-2")
        left_behind(beside / "rootless-job-slurm-1")
        used = left_behind(beside / "rootless-job-slurm-3")
        young = left_behind(beside / "rootless-job-slurm-4")
        os.utime(young)
        (beside / "rootless-job-slurm-6").symlink_to(left_behind(beside / "elsewhere"))
        open_to_all = left_behind(beside / "rootless-job-slurm-7")
        open_to_all.chmod(0o755)
        (used / "c/0123/attach.sock").unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(used / "c/0123/attach.sock"))
            listener.listen()
            an_hour_ago(used)
            in_job(places, 5)
        found = sorted(path.name.removeprefix("rootless-job-slurm-") for path in beside.iterdir() if path.name != "root")
        assert found == ["2", "3", "4", "5", "6", "7", "elsewhere"]
        assert (beside / "elsewhere/session.lock").exists()
    finally:
        end(of_two)
        stop(places, 2)
        stop(places, 5)


def test_the_session_of_a_job_that_is_over_ends_with_the_next_ones_start(places: Places) -> None:
    """Where a batch system ends what is below its step and no more, each job of an array left a process for ever."""
    of_one, of_two = process_of(1), process_of(2)
    try:
        one, _ = in_job(places, 1)
        two, _ = in_job(places, 2)
        holder = holder_pid(of_job(places, 1))
        end(of_one)
        in_job(places, 3)
        assert not os.path.exists(one)
        assert os.path.exists(f"{two}/session.sock")
        wait_until(lambda: not os.path.exists(f"/proc/{holder}"), "the end of the first job's holder")
    finally:
        end(of_one)
        end(of_two)
        stop(places, 3)
        stop(places, 2)
