"""A pod through containerd's CRI, an ordinary user's: network, sandbox and one container, with rootless-oci and with runc."""

from __future__ import annotations

from benchmarks.measure import Contender, Row, interleaved
from benchmarks.world import World
from tests.cri.containerd import Containerd, save_images, started
from tests.cri.pod import Pod

ROUNDS = 15


def measure(world: World) -> list[Row]:
    images = save_images(world.rootless, world.directory / "images.tar")
    with started(images) as daemon:
        contenders = [_contender(daemon, handler) for handler in ("rootless-oci", "runc")]
        return interleaved("pod through CRI", contenders, rounds=ROUNDS, goals={"runc": 1.0})


def _contender(daemon: Containerd, handler: str) -> Contender:
    made: list[Pod] = []

    def run() -> None:
        made.append(Pod(daemon, f"bench-{handler}", handler))
        made[-1].run("c", "exec sleep 1000")

    return Contender(handler, run, lambda: made.pop().remove())
