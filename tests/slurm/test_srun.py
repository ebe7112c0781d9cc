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
    """As pyxis's --container-name: what one step installs the next one finds, as long as somebody is in the container."""
    step = f"rootless srun -n1 --overlap --container-name=tools --container-image={busybox_image}"
    script = f"""{step} sh -c 'echo kept; exec sleep 1000' >up & keeper=$!
until grep -q kept up; do sleep 0.1; done
{step} sh -c 'echo installed >/tmp/new'
{step} sh -c 'cat /tmp/new; echo $SLURM_STEP_ID'
kill -TERM $keeper; wait $keeper
{step} sh -c 'cat /tmp/new 2>&1'"""
    job = cluster.batch(script, "-n2", "-o", f"{cluster.directory}/out.%j", env=job_environment)
    cluster.wait_for(job)
    lines = (cluster.directory / f"out.{job}").read_text().splitlines()
    assert lines[:2] == ["installed", "2"]
    assert any("can't open '/tmp/new'" in line for line in lines[2:])
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
    root = ("--container-remap-root", "--container-readonly")
    said = cluster.call("rootless", "srun", *words, *root, "sh", "-c", "id -u; touch /new 2>&1; exit 0", env=environment).splitlines()
    assert said[0] == "0"
    assert re.search("Read-only file system", said[1])
    assert rootless("ps", "-aq").lines == []
