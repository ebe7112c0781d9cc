"""`push` of one layer that is only unpacked (B8: half noise, half text) to a registry on loopback: packed and sent.

Each push goes to a repository of its own, and nobody remembers the one before. The second row is the second
push: nothing is left to do.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import World
from tests.harness.podman import Podman
from tests.harness.registry import Registry

BYTES = 1_500_000_000
SEED = 20_240_102


def measure(world: World) -> list[Row]:
    if not shutil.which("docker-registry") or not world.podman:
        print("    left out: docker-registry or podman is not installed")
        return []
    directory = world.directory / "pushed"
    directory.mkdir()
    archive = world.directory / "root.tar"
    _write(archive)
    with Registry(directory) as registry:
        # Ours from the tar that we would write ourselves: by way of export, as a build's layer is.
        world.rootless("import", archive, "bench/first", timeout=600)
        world.rootless("create", "--name", "first", "bench/first", "/bin/true")
        with (world.directory / "again.tar").open("wb") as out:
            subprocess.run([*world.rootless.argv, "export", "first"], env=world.rootless.environment, stdout=out, check=True)
        world.rootless("rm", "first")
        world.rootless("import", world.directory / "again.tar", "bench/large", timeout=600)
        world.rootless("rmi", "bench/first")
        world.podman("import", "--quiet", archive, "localhost/bench/large", timeout=600)
        archive.unlink()
        (world.directory / "again.tar").unlink()
        rows = []
        for level in ("default", "6"):  # Podman 4.3 knows no level; its own is 6
            contenders = [
                Contender("rootless", _ours(world, registry.address, level), lambda: _forget_ours(world)),
                Contender("podman", _podman(world.podman, registry.address, level), lambda: _forget_podman(world)),
            ]
            _forget_ours(world)
            rows += interleaved(
                f"push of 1.5 GB, gzip level {level} against Podman's own (6)", contenders, rounds=3, warm_up=0, goals={"podman": 1 / 2}
            )
        again = f"{registry.address}/again"
        second = [
            Contender("rootless", command([*world.rootless.argv, "push", "-q", "bench/large", again], world.rootless.environment)),
            Contender("podman", command(_podman_argv(world.podman, again), world.podman.environment)),
        ]
        return rows + interleaved("push again, nothing to do", second, rounds=9, goals={"podman": 1})


def _ours(world: World, address: str, level: str) -> Callable[[], None]:
    numbers = itertools.count()

    def run() -> None:
        options = [] if level == "default" else ["--compression-level", level]
        name = f"{address}/ours{level}{next(numbers)}"
        command([*world.rootless.argv, "push", "-q", *options, "bench/large", name], world.rootless.environment)()

    return run


def _forget_ours(world: World) -> None:
    """Only the unpacked layer is left."""
    for path in (world.rootless.root / "blobs/sha256").iterdir():
        if path.stat().st_size > 1 << 20:
            path.unlink()
    for path in (world.rootless.root / "layers").glob("*/blobs.json"):
        path.unlink()


def _podman(podman: Podman, address: str, level: str) -> Callable[[], None]:
    numbers = itertools.count()

    def run() -> None:
        command(_podman_argv(podman, f"{address}/theirs{level}{next(numbers)}"), podman.environment)()

    return run


def _podman_argv(podman: Podman, name: str) -> list[str]:
    return podman.argv("push", "-q", "--tls-verify=false", "localhost/bench/large", name)


def _forget_podman(world: World) -> None:
    assert world.podman is not None
    for path in world.podman.directory.rglob("blob-info-cache*"):
        path.unlink()


def _write(archive: Path) -> None:
    source = random.Random(SEED)
    words = [source.randbytes(source.randint(2, 9)).hex() for _ in range(4000)]
    text = " ".join(source.choices(words, k=1_000_000)).encode()
    size = 20_000_000
    with tarfile.open(archive, "w") as tar:
        for number in range(BYTES // size):
            path = archive.with_suffix(".part")
            begin = source.randrange(len(text) // 2)
            path.write_bytes(source.randbytes(size) if number % 2 else (text[begin:] + text * (size // len(text) + 1))[:size])
            tar.add(path, f"data/{number}")
            path.unlink()
