"""`build` of a large context (B5): 1 GB in 20,000 files of which the ignore file leaves 200, and one directory of 100 MB.

Cold, unchanged, after one file was edited, and after every file was touched (their times say nothing of their
contents). podman with --layers, its default.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, interleaved
from benchmarks.world import World

DOCKERFILE = "FROM busybox:latest\nCOPY large /large\nCOPY kept /kept\nRUN ls /kept | wc -l\n"
FILES = 20_000
SEED = 20_240_103


def measure(world: World) -> list[Row]:
    context = world.directory / "context"
    _write(context)
    build = world.pair("build", "-q", "-t", "bench/context", str(context))
    # What `reset` does is not timed, and comes before the next build of either.
    forget, edit, touch = _forget(world), _edit(context), _touch(context)
    forget()
    rows = interleaved("build, large context, cold", [each._replace(reset=forget) for each in build], rounds=3, warm_up=0,
                       goals={"podman": 1 / 3})  # fmt: skip
    rows += interleaved("build, large context, unchanged", build, rounds=5, goals={"podman": 1 / 10})
    rows += interleaved("build, large context, one file edited", [each._replace(reset=edit) for each in build], rounds=3,
                        goals={"podman": 1 / 3})  # fmt: skip
    rows += interleaved("build, large context, all files touched", [each._replace(reset=touch) for each in build], rounds=3,
                        goals={"podman": 1 / 10})  # fmt: skip
    world.both("rmi", "-f", "bench/context")
    return rows


def _forget(world: World) -> Callable[[], None]:
    def forget() -> None:
        world.rootless("builder", "prune", "-af")
        world.rootless("rmi", "-f", "bench/context", status=None)
        if world.podman:
            words = world.podman.argv("rmi", "-f", "bench/context")  # not there the first time
            subprocess.run(words, env=world.podman.environment, capture_output=True, check=False)
            world.podman("image", "prune", "-f")

    return forget


def _edit(context: Path) -> Callable[[], None]:
    numbers = iter(range(1_000_000))

    def edit() -> None:
        (context / "kept/f7").write_text(str(next(numbers)))

    return edit


def _touch(context: Path) -> Callable[[], None]:
    def touch() -> None:
        for where, _, files in os.walk(context):
            for name in files:
                os.utime(os.path.join(where, name))

    return touch


def _write(context: Path) -> None:
    source = random.Random(SEED)
    for directory in ("large", "kept", "ignored"):
        (context / directory).mkdir(parents=True)
    for number in range(100):
        (context / f"large/f{number}").write_bytes(source.randbytes(1_000_000))
    for number in range(200):
        (context / f"kept/f{number}").write_bytes(source.randbytes(2_000))
    for number in range(FILES - 200):
        (context / f"ignored/f{number}").write_bytes(b"x" * source.randrange(90_000))
    (context / ".dockerignore").write_text("ignored\n")
    (context / "Dockerfile").write_text(DOCKERFILE)
