"""Jobs of a real Slurm that run containers: on four nodes, many at once, cancelled; and bundles by Slurm's own --container."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.oci.bundles import installed, make_rootfs, rootless_spec
from tests.slurm.cluster import NODES, Cluster

RECIPE = Path(__file__).parents[2] / "packaging/slurm/oci.conf"


def test_a_container_on_each_node(cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str]) -> None:
    run = ("rootless", "run", "--rm", "--network", "none", "-e", "SLURM_PROCID", busybox_image)
    said = cluster.call("srun", "-N4", "-n16", *run, "sh", "-c", "echo $SLURM_PROCID", env=job_environment)
    assert sorted(map(int, said.split())) == [*range(16)]
    # The status of the container is the step's.
    cluster.call("srun", "-N1", *run, "sh", "-c", "exit 7", env=job_environment, status=7)
    script = 'rootless info -f "{{.RuntimeDir}}"; echo $SLURM_JOB_ID'
    directory = cluster.call("srun", "-N1", "sh", "-c", script, env=job_environment).split()
    assert directory[0] == str(rootless.sockets_of_job(directory[1]))
    assert rootless("ps", "-aq").lines == []


@pytest.mark.parametrize("count", [24, pytest.param(100, marks=pytest.mark.full)])
def test_an_array_of_jobs(cluster: Cluster, busybox_image: str, job_environment: dict[str, str], count: int) -> None:
    script = f"rootless run --rm --network none -e SLURM_ARRAY_TASK_ID {busybox_image} sh -c 'echo task $SLURM_ARRAY_TASK_ID'"
    job = cluster.batch(script, f"--array=1-{count}", "-o", f"{cluster.directory}/out.%A.%a", env=job_environment)
    cluster.wait_for(job)
    said = {number: (cluster.directory / f"out.{job}.{number}").read_text() for number in range(1, count + 1)}
    assert said == {number: f"task {number}\n" for number in range(1, count + 1)}


def test_a_cancelled_job_leaves_nothing(cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str]) -> None:
    """It is told to end, as Slurm tells its processes; one that does not listen is ended with them."""
    named = "rootless run --rm --network none --name"
    runs = "TERM; echo up; while :; do sleep 1; done"
    # When the script ends Slurm kills what is left of the job.
    script = f"""trap : TERM
{named} deaf {busybox_image} sh -c 'trap "" {runs}' &
{named} polite {busybox_image} sh -c 'trap "echo ended; exit 3" {runs}' & polite=$!
wait; wait $polite"""
    job = cluster.batch(script, "-o", f"{cluster.directory}/out.%j", env=job_environment)
    out = cluster.directory / f"out.{job}"
    processes.wait_until(lambda: out.exists() and out.read_text().count("up\n") == 2, "the containers run")
    assert sorted(rootless("ps", "--format", "{{.Names}}").lines) == ["deaf", "polite"]
    cluster.call("scancel", job)
    cluster.wait_for(job)
    assert "ended" in out.read_text()
    processes.wait_until(lambda: rootless("ps", "-q").lines in ([], rootless("ps", "-qf", "name=deaf").lines), "polite has ended")
    rootless("rm", "-f", "-t", "0", "deaf", status=None)


@pytest.fixture
def bundle(tmp_path: Path, cluster: Cluster) -> Iterator[Path]:
    """A bundle for --container, and the recipe beside slurm.conf with our rootless-oci in it."""
    (tmp_path / "bin").mkdir()
    program = installed(tmp_path / "bin")
    recipe = RECIPE.read_text().replace("exec rootless-oci", f"exec {program}").replace("/tmp/rootless-oci-%u", str(tmp_path / "state"))
    (cluster.directory / "oci.conf").write_text(recipe)
    cluster.call("scontrol", "reconfigure")
    make_rootfs(tmp_path / "bundle/rootfs")
    spec = rootless_spec("true")
    (tmp_path / "bundle/config.json").write_text(json.dumps(spec))
    yield tmp_path
    (cluster.directory / "oci.conf").unlink()
    cluster.call("scontrol", "reconfigure")
    shutil.rmtree(tmp_path / "bundle")


def test_slurms_own_containers(cluster: Cluster, bundle: Path) -> None:
    """srun --container: a bundle by the recipe in packaging/slurm, with its exit status; cancelled, it leaves nothing."""
    words = ("srun", "-N4", "-n4", f"--container={bundle}/bundle")
    said = cluster.call(*words, "/bin/sh", "-c", "cat /data/kept").splitlines()
    assert said == ["kept"] * len(NODES)
    cluster.call(*words, "/bin/sh", "-c", "exit 5", status=5)
    job = cluster.batch(f"srun --container={bundle}/bundle /bin/sh -c 'trap \"\" TERM; echo up; sleep 1000; sleep 1000'",
                        "-o", f"{cluster.directory}/out.%j", env={})  # fmt: skip
    out = cluster.directory / f"out.{job}"
    processes.wait_until(lambda: out.exists() and "up" in out.read_text(), "the container runs")
    assert len(list((bundle / "state").iterdir())) == 1
    cluster.call("scancel", job)
    cluster.wait_for(job)
    processes.wait_until(lambda: not list((bundle / "state").iterdir()), "the container is deleted")
