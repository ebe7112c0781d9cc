"""How jobs with shared containers end: at their limit in time, with a node that was lost; and 64 ranks that begin at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.need import need_program
from tests.slurm.cluster import NODES, Cluster
from tests.system.test_image_files import image_file, servers

DEAF = 'trap "" TERM; echo up; while :; do sleep 1; done'


def _is_written(path: Path, text: str, count: int) -> None:
    processes.wait_until(lambda: path.exists() and path.read_text().count(text) == count, f"{count} times {text!r} in {path}")


@pytest.mark.parametrize("by", ["scancel", pytest.param("its limit in time", marks=[pytest.mark.full, pytest.mark.timeout(300)])])
def test_what_does_not_listen_is_killed_before_the_job_is(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], by: str
) -> None:
    """SIGTERM is passed on, and --stop-timeout later, before Slurm's KillWait is over, SIGKILL: who waits hears of the end."""
    run = "rootless run --rm --stop-timeout 1 --network none"
    script = f"""trap : TERM
{run} {busybox_image} sh -c '{DEAF}' & one=$!
{run} --shared {busybox_image} sh -c '{DEAF}' & other=$!
while kill -0 $one || kill -0 $other; do wait; done 2>/dev/null
wait $one; echo one $?; wait $other; echo other $?"""
    limit = () if by == "scancel" else ("--time=1",)
    job = cluster.batch(script, *limit, "-o", f"{cluster.directory}/out.%j", env=job_environment)
    out = cluster.directory / f"out.{job}"
    _is_written(out, "up\n", 2)
    if by == "scancel":
        cluster.call("scancel", "--full", "--signal=TERM", job)
    cluster.wait_for(job)
    assert "one 137\nother 137\n" in out.read_text()
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")


def test_an_image_file_is_served_until_its_containers_end(
    cluster: Cluster, rootless: Rootless, job_environment: dict[str, str], tmp_path: Path
) -> None:
    """SIGTERM goes to every process of the job: what a container reads for the first time when it is told to end is there, and so
    is its network. Afterwards nothing is left."""
    image = image_file(tmp_path)
    need_program("slirp4netns")
    save = "cat /etc/motd; grep -c tap0 /proc/net/dev; exit 3"
    script = f"""trap : TERM
rootless run --rm --network slirp4netns {image} sh -c 'trap "{save}" TERM; echo up; while :; do sleep 0.1; done' & one=$!
wait; wait $one; echo one $?"""
    job = cluster.batch(script, "-o", f"{cluster.directory}/out.%j", env=job_environment)
    out = cluster.directory / f"out.{job}"
    _is_written(out, "up\n", 1)
    # Slurm tracks processes by their parents here, and does not find these. By control groups, as most clusters have it, it does.
    for server in servers():
        processes.signal_as_of_a_job(server.parent, server.pid)
    cluster.call("scancel", "--full", "--signal=TERM", job)
    cluster.wait_for(job)
    assert "from the image\n1\none 3\n" in out.read_text()
    assert rootless("ps", "-aq").lines == []
    processes.wait_until(lambda: not servers(), "nothing is left that serves the image")


def test_a_lost_node(own_cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str]) -> None:
    """slurmd killed: the step goes on, and ends when slurmd is there again and the job is cancelled. Killed ranks leave nothing
    meanwhile."""
    script = f"""srun -n2 rootless run --shared --network none {busybox_image} sh -c 'echo up; exec sleep 1000'"""
    job = own_cluster.batch(script, "-n2", "-w", "n4", "-o", f"{own_cluster.directory}/out.%j", env=job_environment)
    _is_written(own_cluster.directory / f"out.{job}", "up\n", 2)
    own_cluster.kill_node("n4")
    assert len(rootless("ps", "-q").lines) == 1
    own_cluster.start_node("n4")
    own_cluster.call("scancel", job)
    own_cluster.wait_for(job)
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")
    # slurmstepd as well: nobody is left who would end the ranks. Who clears the node up kills them, and the container goes with them.
    job = own_cluster.batch(script, "-n2", "-w", "n3", "-o", f"{own_cluster.directory}/out.%j", env=job_environment)
    _is_written(own_cluster.directory / f"out.{job}", "up\n", 2)
    own_cluster.kill_node("n3")
    found = processes.table()
    for pid in [pid for pid, process in found.items() if _is_of(pid, job) and process.command.startswith("slurmstepd")]:
        os.kill(pid, signal.SIGKILL)
    assert len(rootless("ps", "-q").lines) == 1
    for pid in [pid for pid in found if _is_of(pid, job) and b"--shared" in _words(pid)]:  # srun and the ranks
        os.kill(pid, signal.SIGKILL)
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")
    own_cluster.close()  # before what is left is looked for


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []  # it has gone


def _is_of(pid: int, job: str) -> bool:
    """Whether a process is of a job's steps: a rank's own command, or who watches over it, which tells of it in its name."""
    if any(f"[{job}." in word.decode(errors="replace") for word in _words(pid)[:2]):
        return True
    try:
        return f"SLURM_JOB_ID={job}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def test_64_ranks_at_once(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path
) -> None:
    """All run before any ends: four containers, one for each node."""
    script = f"""readlink /proc/self/ns/user; cd {tmp_path}; : >$SLURM_PROCID
until [ $(ls | wc -l) = 64 ]; do sleep 0.2; done"""
    words = ("-N4", "-n64", "--overcommit", f"--container-image={busybox_image}", f"--container-mounts={tmp_path}:{tmp_path}")
    said = cluster.call("rootless", "srun", *words, "sh", "-c", script, env=job_environment).splitlines()
    assert len(said) == 64
    assert len(set(said)) == len(NODES)
    assert rootless("ps", "-aq").lines == []
