"""`pull` of a generated image (334 MB unpacked, 14,000 files, four gzip layers) from a registry on loopback."""

from __future__ import annotations

import io
import itertools
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import World
from tests.harness import images
from tests.harness.podman import STORAGE, Podman
from tests.harness.registry import Registry

FILES = 14_000
BYTES = 334_000_000
LAYERS = (0.4, 0.3, 0.2, 0.1)
SEED = 20_240_101


def measure(world: World) -> list[Row]:
    if not (shutil.which("docker-registry") and shutil.which("skopeo")):
        print("    left out: docker-registry or skopeo is not installed")
        return []
    directory = world.directory / "registry"
    directory.mkdir()
    with Registry(directory) as registry:
        name = f"{registry.address}/bench/large:latest"
        _push(world.directory / "large.tar", name)
        contenders = [Contender("rootless", _ours(world, name), os.sync)]
        if world.podman:
            contenders.append(Contender("podman", _podman(world, world.podman, name), os.sync))
        return interleaved("pull of 334 MB, 14,000 files", contenders, rounds=3, goals={"podman": 1 / 3})


# Each pull goes into a store of its own, and nothing is removed before the end: after thousands of
# files were deleted, ext4 makes new ones several times as slowly, for whoever comes next.


def _ours(world: World, name: str) -> Callable[[], None]:
    fresh = _directories(world, "ours")

    def run() -> None:
        environment = world.rootless.environment | {"ROOTLESS_ROOT": str(next(fresh))}
        command([*world.rootless.argv, "pull", "--quiet", name], environment)()

    return run


def _podman(world: World, podman: Podman, name: str) -> Callable[[], None]:
    fresh = _directories(world, "podman")

    def run() -> None:
        directory = next(fresh)
        storage = directory / "storage.conf"
        storage.write_text(STORAGE.format(directory=directory, run=directory / "run"))
        places = {"XDG_DATA_HOME": str(directory / "data"), "CONTAINERS_STORAGE_CONF": str(storage)}
        argv = podman.argv("pull", "--quiet", "--tls-verify=false", name)
        command(argv, podman.environment | places)()

    return run


def _directories(world: World, prefix: str) -> Iterator[Path]:
    for number in itertools.count():
        directory = world.directory / f"{prefix}-{number}"
        directory.mkdir()
        yield directory


def _push(archive: Path, name: str) -> None:
    """Generate the image and push it with skopeo, which compresses its layers."""
    source = random.Random(SEED)
    words = [source.randbytes(source.randint(2, 9)).hex() for _ in range(4000)]
    # Half text, half noise: compresses to about as much as a distribution's files do.
    text = " ".join(source.choices(words, k=400_000)).encode()
    noise = source.randbytes(2_000_000)
    layers = [_layer(source, f"layer{n}", share, text, noise) for n, share in enumerate(LAYERS)]
    archive.write_bytes(images.docker_archive("large:latest", layers, {"Cmd": ["/bin/true"]}))
    subprocess.run(
        ["skopeo", "copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false",
         f"docker-archive:{archive}", f"docker://{name}"],
        check=True, timeout=600,
    )  # fmt: skip
    archive.unlink()


def _layer(source: random.Random, top: str, share: float, text: bytes, noise: bytes) -> bytes:
    """An uncompressed tar with `share` of the files and bytes: many small files, few large ones."""
    count = int(FILES * share)
    weights = [source.lognormvariate(0, 1.8) for _ in range(count)]
    scale = BYTES * share / sum(weights)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, weight in enumerate(weights):
            if number % 50 == 0:
                directory = f"{top}/d{number // 50}"
                images.add(tar, directory, kind=tarfile.DIRTYPE)
            size = int(weight * scale)
            images.add(tar, f"{directory}/f{number}", _content(source, size, text, noise))
    return buffer.getvalue()


def _content(source: random.Random, size: int, text: bytes, noise: bytes) -> bytes:
    material = noise if source.random() < 0.35 else text
    begin = source.randrange(len(material) // 2)
    piece = material[begin : begin + size]
    while len(piece) < size:
        piece += material[: size - len(piece)]
    return piece
