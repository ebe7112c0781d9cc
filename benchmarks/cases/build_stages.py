"""`build` of two independent C stages and a third that takes from both (B3): cold, and with one stage's source changed.

The base is Debian with a compiler, bootstrapped once and loaded into both. podman builds stages one after the other.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, interleaved
from benchmarks.world import World

BASE = "localhost/bench/gcc:latest"
DOCKERFILE = f"""\
FROM {BASE} AS one
COPY one.c /src/
RUN for i in 1 2 3 4 5 6; do gcc -O2 -o /one /src/one.c; done
FROM {BASE} AS two
COPY two.c /src/
RUN for i in 1 2 3 4 5 6; do gcc -O2 -o /two /src/two.c; done
FROM {BASE}
COPY --from=one /one /usr/local/bin/one
COPY --from=two /two /usr/local/bin/two
RUN one && two
CMD ["one"]
"""


def measure(world: World) -> list[Row]:
    if not world.podman:
        print("    left out: podman is not installed")
        return []
    archive = Path.home() / ".cache/rootless-tests/bench-gcc.tar"
    if not archive.exists():
        world.rootless("bootstrap", "debian:bookworm", "--include", "gcc,libc6-dev", "-t", BASE, timeout=1800)
        archive.parent.mkdir(parents=True, exist_ok=True)
        world.rootless("save", "-o", archive, BASE, timeout=600)
    world.both("load", "-i", str(archive))
    context = world.directory / "stages"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    _source(context / "one.c", 1)
    _source(context / "two.c", 2)
    build = world.pair("build", "-q", "-t", "bench/stages", str(context))
    # What `reset` does is not timed, and comes before the next build of either.
    forget, change = _forget(world), _change(context)
    forget()
    rows = interleaved("build, two C stages, cold", [each._replace(reset=forget) for each in build], rounds=3, warm_up=0,
                       goals={"podman": 1 / 3})  # fmt: skip
    rows += interleaved("build, two C stages, one changed", [each._replace(reset=change) for each in build], rounds=3,
                        goals={"podman": 1 / 3})  # fmt: skip
    world.both("rmi", "-f", "bench/stages")
    return rows


def _forget(world: World) -> Callable[[], None]:
    def forget() -> None:
        world.rootless("builder", "prune", "-af")
        if world.podman:
            words = world.podman.argv("rmi", "-f", "bench/stages")  # not there the first time
            subprocess.run(words, env=world.podman.environment, capture_output=True, check=False)
            world.podman("image", "prune", "-f")

    return forget


def _change(context: Path) -> Callable[[], None]:
    numbers = iter(range(100, 1_000_000))
    return lambda: _source(context / "one.c", next(numbers))


def _source(path: Path, number: int) -> None:
    functions = "\n".join(f"int f{n}(int x) {{ return x * {n} + {number}; }}" for n in range(400))
    calls = " + ".join(f"f{n}(x)" for n in range(400))
    path.write_text(f"#include <stdio.h>\n{functions}\nint main(void) {{ int x = {number}; printf(\"%d\\n\", {calls}); return 0; }}\n")
