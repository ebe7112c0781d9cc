"""`build` of twenty steps: all in the cache (B6), the same with a LABEL at the top edited, and twenty times `RUN true`
without it (B7), beside as many of our own `run`.

podman with --layers, its default; it takes the edited LABEL for a reason to do everything again.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World

STEPS = 20


def measure(world: World) -> list[Row]:
    context = world.directory / "steps"
    context.mkdir()
    for number in range(4):
        (context / f"file{number}").write_text(f"{number}\n")
    _write(context, 0)
    build = world.pair("build", "-q", "-t", "bench/steps", str(context))
    world.both("build", "-q", "-t", "bench/steps", str(context))
    rows = interleaved("build, 20 steps, all cached", build, rounds=10, goals={"podman": 1 / 10})
    edit = _edit(context)
    rows += interleaved("build, 20 steps, first LABEL edited", [each._replace(reset=edit) for each in build], rounds=3,
                        goals={"podman": 1 / 10})  # fmt: skip
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\n" + "RUN true\n" * STEPS)
    contenders = world.pair("build", "-q", "--no-cache", str(context))
    again = shlex.join([*world.rootless.argv, "run", "--rm", IMAGE, "true"])
    loop = ["sh", "-c", f"for number in $(seq {STEPS}); do {again}; done"]
    contenders.append(Contender("rootless run", command(loop, world.rootless.environment)))
    rows += interleaved("build, 20 times RUN true", contenders, rounds=3, goals={"podman": 1 / 3, "rootless run": 1.5})
    world.both("rmi", "-f", "bench/steps")
    return rows


def _write(context: Path, number: int) -> None:
    """8 RUN, 4 COPY, 8 lines of metadata."""
    lines = [f"FROM {IMAGE}", f"LABEL number={number}", "ENV A=1", "WORKDIR /work"]
    for step in range(4):
        lines += [f"RUN echo {step} > /first{step}", f"COPY file{step} /files/", f"RUN cat /files/file{step} > /second{step}"]
    lines += ["ENV B=2", "EXPOSE 80", "USER 1000", "ENTRYPOINT [\"cat\"]", "CMD [\"/first0\"]"]
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")


def _edit(context: Path) -> Callable[[], None]:
    numbers = iter(range(1, 1_000_000))
    return lambda: _write(context, next(numbers))
