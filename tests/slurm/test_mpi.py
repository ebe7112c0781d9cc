"""An MPI program with Debian's MPICH (package libmpich12) and Open MPI (libopenmpi3) in containers, on four nodes of Slurm's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need
from tests.slurm.cluster import Cluster

SOURCE = Path(__file__).with_name("ring.c")
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
# The host's own libraries, as sites mount their MPI into containers.
OF_THE_HOST = "/usr/lib:/usr/lib:ro,/usr/lib:/lib:ro,/usr/lib64:/lib64:ro"
RIGHT = "8 ranks, 0 wrong, pi right\n"


def _compile(directory: Path, library: Path, *words: str) -> None:
    need(library.exists(), f"{library} is not installed")
    compiler = shutil.which("gcc")
    need(compiler, "gcc is not installed")
    assert compiler is not None
    subprocess.run([compiler, "-O1", "-Wall", *words, "-o", directory / "ring", SOURCE, library, "-lm"], check=True)


@pytest.mark.full  # 42 MB of libraries, and what they need
def test_mpich_on_four_nodes(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path
) -> None:
    _compile(tmp_path, LIBRARIES / "libmpich.so.12")
    words = ("--mpi=pmi2", f"--container-image={busybox_image}", f"--container-mounts={tmp_path}:/work,{OF_THE_HOST}", "/work/ring")
    # The four nodes are one machine, which UCX sees, and would have it share memory between them.
    environment = {**job_environment, "UCX_TLS": "tcp,self"}
    said = cluster.call("rootless", "srun", "-N4", "-n8", "--ntasks-per-node=2", *words, "no-finalize", env=environment, timeout_s=50)
    assert said == RIGHT
    said = cluster.call("rootless", "srun", "-N1", "-n8", *words, env=job_environment, timeout_s=50)
    assert said == RIGHT
    assert rootless("ps", "-aq").lines == []


@pytest.mark.full  # 30 MB of libraries, and what they need
def test_open_mpi_on_four_nodes(
    cluster: Cluster, rootless: Rootless, busybox_image: str, job_environment: dict[str, str], tmp_path: Path
) -> None:
    """Started by Slurm's PMIx plugin, whose directory and socket on the node are in the container, under the same names."""
    _compile(tmp_path, LIBRARIES / "libmpi.so.40", "-DOPEN_MPI")
    need((LIBRARIES / "pmix2/lib/libpmix.so").exists(), "what Slurm's PMIx plugin opens (libpmix-dev) is not installed")
    words = ("--mpi=pmix", f"--container-image={busybox_image}", f"--container-mounts={tmp_path}:/work,{OF_THE_HOST}")
    said = cluster.call("rootless", "srun", "-N4", "-n8", "--ntasks-per-node=2", *words, "/work/ring", env=job_environment, timeout_s=100)
    assert said == RIGHT
    said = cluster.call("rootless", "srun", "-N1", "-n8", *words, "/work/ring", env=job_environment, timeout_s=100)
    assert said == RIGHT
    script = "env; ls $PMIX_SERVER_TMPDIR; ls -d */spmix_appdir_$(id -u)_$SLURM_JOB_ID.$SLURM_STEP_ID"
    where = f"--container-workdir={cluster.directory}/tmp"
    said = cluster.call("rootless", "srun", "-n1", "-w", "n2", *words, where, "sh", "-c", script, env=job_environment)
    found = ("PMIX_RANK=0", "PMIX_NAMESPACE=slurm.pmix", "PMIX_SECURITY_MODE=", "PMIX_MCA_gds=hash", "pmix_dstor", "n2/spmix_appdir_")
    assert [word for word in found if word not in said] == []
    assert "PMIX_MCA_psec" not in said
    assert rootless("ps", "-aq").lines == []
