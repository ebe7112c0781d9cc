"""`run --rm --network none IMAGE /bin/true`, beside Podman, runc on a bundle and bwrap on a directory."""

from __future__ import annotations

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World


def measure(world: World) -> list[Row]:
    contenders = world.pair("run", "--rm", "--network", "none", IMAGE, "/bin/true")
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "XDG_RUNTIME_DIR": str(world.rootless.runtime)}
    if world.runc:
        bundle = world.runc_bundle("/bin/true")
        state = str(world.directory / "runc")
        argv = [world.runc, "--root", state, "run", "--bundle", str(bundle), "bench"]
        contenders.append(Contender("runc", command(argv, environment)))
    if world.bwrap:
        argv = [
            world.bwrap, "--unshare-all", "--ro-bind", str(world.rootfs), "/", "--proc", "/proc",
            "--dev", "/dev", "/bin/true",
        ]  # fmt: skip
        contenders.append(Contender("bwrap", command(argv, environment)))
    return interleaved("run --rm --network none /bin/true", contenders, rounds=15, goals={"podman": 1 / 4})
