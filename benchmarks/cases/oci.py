"""`rootless-oci run` of a busybox bundle, beside runc and crun on the same one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import World
from tests.oci.bundles import installed


def measure(world: World) -> list[Row]:
    assert world.runc, "runc is not installed"
    bundle = world.runc_bundle("/bin/true")
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "XDG_RUNTIME_DIR": str(world.rootless.runtime)}

    def contender(name: str, program: str) -> Contender:
        state = str(world.directory / f"state-{name}")
        argv = [program, "--root", state, "run", "--bundle", str(bundle), "bench"]
        return Contender(name, command(argv, environment))

    beside = Path(sys.executable).with_name("rootless-oci")
    ours = beside if beside.exists() else installed(world.directory)
    contenders = [contender("rootless-oci", str(ours)), contender("runc", world.runc)]
    if crun := shutil.which("crun"):
        beside_runc = contender("crun", crun)
        try:
            beside_runc.run()
            contenders.append(beside_runc)
        except RuntimeError as error:  # on a hybrid host crun refuses to run at all
            print(f"    crun is left out: {error}", file=sys.stderr)
    return interleaved("rootless-oci run /bin/true", contenders, rounds=25, goals={"runc": 1.0})
