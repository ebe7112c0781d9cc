"""An MPI program with Debian's MPICH (package libmpich12) in containers, on four nodes by Slurm's PMI."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need
from tests.slurm.cluster import Cluster

SOURCE = Path(__file__).with_name("ring.c")
LIBRARY = Path("/usr/lib/x86_64-linux-gnu/libmpich.so.12")


@pytest.mark.full  # 42 MB of libraries, and what they need
def test_mpich_on_four_nodes(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path
) -> None:
    need(LIBRARY.exists(), "MPICH's library (libmpich12) is not installed")
    compiler = shutil.which("gcc")
    need(compiler, "gcc is not installed")
    assert compiler is not None
    subprocess.run([compiler, "-O1", "-o", tmp_path / "ring", SOURCE, LIBRARY, "-lm"], check=True)
    # The host's own libraries, as sites mount their MPI into containers.
    mounts = f"{tmp_path}:/work,/usr/lib:/usr/lib:ro,/usr/lib:/lib:ro,/usr/lib64:/lib64:ro"
    words = ("--mpi=pmi2", f"--container-image={busybox_image}", f"--container-mounts={mounts}", "/work/ring")
    # The four nodes are one machine, which UCX sees, and would have it share memory between them.
    environment = {**job_environment, "UCX_TLS": "tcp,self"}
    said = cluster.call("rootless", "srun", "-N4", "-n8", "--ntasks-per-node=2", *words, "no-finalize", env=environment, timeout_s=50)
    assert said == "8 ranks, 0 wrong, pi right\n"
    said = cluster.call("rootless", "srun", "-N1", "-n8", *words, env=job_environment, timeout_s=50)
    assert said == "8 ranks, 0 wrong, pi right\n"
    assert rootless("ps", "-aq").lines == []
