"""`srun --container` of a busybox bundle on a real Slurm, from the command to its end: with rootless-oci, by the recipe of packaging/slurm,
and with runc in its place."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from pwd import getpwuid

from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import World
from tests.harness.trees import remove_tree
from tests.oci.bundles import REPOSITORY, installed, make_rootfs, rootless_spec
from tests.slurm.cluster import Cluster

ROUNDS = 15


def measure(world: World) -> list[Row]:
    assert world.runc, "runc is not installed"
    bundle = world.directory / "bundle"
    make_rootfs(bundle / "rootfs")  # in the bundle: Slurm wants it there
    (bundle / "config.json").write_text(json.dumps(rootless_spec("true")))
    directory = Path(tempfile.mkdtemp(prefix="rl-slurm-", dir="/tmp"))
    cluster = Cluster(directory, getpwuid(os.getuid()).pw_name)
    try:
        # slurmstepd reads the recipe for each step; the runtime in it is a link.
        recipe = (REPOSITORY / "packaging/slurm/oci.conf").read_text()
        recipe = recipe.replace("rootless-oci --root=/tmp/rootless-oci-%u", f"{directory}/runtime --root={directory}/of-%u")
        (directory / "oci.conf").write_text(recipe)
        cluster.call("scontrol", "reconfigure")
        beside = Path(sys.executable).with_name("rootless-oci")
        programs = {"rootless-oci": str(beside if beside.exists() else installed(world.directory)), "runc": world.runc}
        contenders = [_contender(cluster, bundle, name, program) for name, program in programs.items()]
        return interleaved("srun --container true", contenders, rounds=ROUNDS, goals={"runc": 1.0})
    finally:
        cluster.close()
        remove_tree(directory)


def _contender(cluster: Cluster, bundle: Path, name: str, program: str) -> Contender:
    link, aside = cluster.directory / "runtime", cluster.directory / "runtime.new"

    def run() -> None:
        aside.symlink_to(program)
        aside.rename(link)
        cluster.call("srun", "-n1", "-w", "n1", f"--container={bundle}", "/bin/true")

    return Contender(name, run)
