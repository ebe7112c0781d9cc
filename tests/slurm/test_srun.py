"""`rootless srun`: pyxis's words on a real Slurm, and ranks that speak with its process manager."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.harness import ranks
from tests.harness.command import Rootless
from tests.slurm.cluster import NODES, Cluster


def test_ranks_on_four_nodes(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path
) -> None:
    """Sixteen ranks, a container for each node's four: PMI over the descriptor from slurmstepd, single copies within the node."""
    ranks.program(tmp_path)
    for node in NODES:
        (tmp_path / node).mkdir()
    script = f"""readlink /proc/self/ns/user; cd {tmp_path} && ./rank pmi && SLURM_PROCID=$SLURM_LOCALID ./rank cma $SLURMD_NODENAME 4
exit $((SLURM_PROCID == 15 ? 9 : 0))"""
    words = ("--mpi=pmi2", "-N4", "-n16", "--ntasks-per-node=4", f"--container-image=docker://{busybox_image}",
             f"--container-mounts={tmp_path}:{tmp_path}")  # fmt: skip
    said = cluster.call("rootless", "srun", *words, "sh", "-c", script, env=job_environment, status=9).splitlines()
    assert {line for line in said if "of 16" in line} == {f"{rank} of 16: ring" for rank in range(16)}
    assert Counter(line for line in said if "read" in line) == {f"{rank} read {'bcda'[rank]}": 4 for rank in range(4)}
    assert sorted(Counter(line for line in said if line.startswith("user:")).values()) == [4, 4, 4, 4]
    assert rootless("ps", "-aq").lines == []


def test_a_container_that_steps_share(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str]
) -> None:
    """As pyxis's --container-name: what one step leaves the next one finds, on each node, until the job ends; and then it is gone."""
    step = f"rootless srun -N2 -n2 --container-image={busybox_image}"
    named = f"{step} --container-name=tools"
    script = f"""{named} sh -c 'echo $SLURMD_NODENAME >/tmp/new'
{named} sh -c 'echo found $(cat /tmp/new) $SLURMD_NODENAME in $SLURM_STEP_ID'
{named} sh -c 'exit $((SLURM_PROCID + 6))'
echo status $?
{step} sh -c 'cat /tmp/new 2>&1'"""
    job = cluster.batch(script, "-N2", "-n2", "-o", f"{cluster.directory}/out.%j", env=job_environment)
    cluster.wait_for(job)
    lines = (cluster.directory / f"out.{job}").read_text().splitlines()
    assert sorted(line for line in lines if "found" in line) == ["found n1 n1 in 2", "found n2 n2 in 2"], lines
    assert "status 7" in lines
    assert len([line for line in lines if "can't open '/tmp/new'" in line]) == 2
    assert rootless("ps", "-aq").lines == []
    again = cluster.batch(f"{named} cat /tmp/new", "-N2", "-n2", "-o", f"{cluster.directory}/out.%j", env=job_environment)
    cluster.wait_for(again)
    assert "can't open '/tmp/new'" in (cluster.directory / f"out.{again}").read_text(), "another job has containers of its own"


def test_what_cannot_be_kept(cluster: Cluster, job_environment: dict[str, str]) -> None:
    words = ("rootless", "srun", "-N2", "--container-image=nobody.test/nothing:1", "--container-name=none", "true")
    script = f"""{' '.join(words)}
echo status $?"""
    job = cluster.batch(script, "-N2", "-o", f"{cluster.directory}/out.%j", env=job_environment)
    cluster.wait_for(job)
    said = (cluster.directory / f"out.{job}").read_text()
    assert "the container cannot be kept on the nodes of the job: " in said
    assert "nobody.test" in said
    assert said.endswith("status 125\n")


def test_components_of_a_job(cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str]) -> None:
    """A heterogeneous job: a step on several of them has a container on each one's nodes, one with a name is refused."""
    step = f"rootless srun --container-image={busybox_image}"
    script = f"""{step} --het-group=0,1 sh -c 'echo rank $SLURM_PROCID on $SLURMD_NODENAME'
{step} --container-name=tools --het-group=1 true; echo status $?
{step} --container-name=tools sh -c 'echo kept >/tmp/new'
{step} --container-name=tools cat /tmp/new"""
    job = cluster.batch(script, "-n1", "-w", "n1", ":", "-n1", "-w", "n2", "-o", f"{cluster.directory}/out.%j", env=job_environment)
    cluster.wait_for(job)
    said = (cluster.directory / f"out.{job}").read_text()
    lines = said.splitlines()
    assert sorted(line for line in lines if line.startswith("rank")) == ["rank 0 on n1", "rank 1 on n2"], said
    assert "--container-name and --het-group" in said
    assert "status 125" in lines
    assert "kept" in lines
    assert rootless("ps", "-aq").lines == []


def test_words(cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine\n")
    environment = {**job_environment, "MINE": "of the job"}
    words = ("-n1", f"--container-image={busybox_image}", f"--container-mounts={tmp_path}/data:/in/data:ro", "--container-workdir=/in")
    script = "id -u; pwd; cat data; echo $MINE; touch data 2>&1; touch /tmp/new && echo made"
    said = cluster.call("rootless", "srun", *words, "sh", "-c", script, env=environment).splitlines()
    mine = (tmp_path / "data").stat().st_uid
    assert said[:4] == [str(mine), "/in", "mine", "of the job"]
    assert "Read-only file system" in said[4]
    assert said[5] == "made"
    saving = (f"--container-save={tmp_path}/saved.sqsh", "--container-name=named")
    cluster.call("rootless", "srun", *words, *saving, "sh", "-c", "echo kept > /tmp/new", env=environment)
    saved = ("-n1", f"--container-image={tmp_path}/saved.sqsh")
    assert cluster.call("rootless", "srun", *saved, "sh", "-c", "cat /tmp/new; echo more >>/tmp/new", env=environment) == "kept\n"
    root = ("--container-remap-root", "--container-readonly")
    said = cluster.call("rootless", "srun", *words, *root, "sh", "-c", "id -u; touch /new 2>&1; exit 0", env=environment).splitlines()
    assert said[0] == "0"
    assert re.search("Read-only file system", said[1])
    assert rootless("ps", "-aq").lines == []
