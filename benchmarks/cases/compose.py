"""`compose up -d` and `down` of ten services, two of which wait for another's health, beside podman-compose over Podman.

podman-compose is looked for beside the interpreter and on PATH (pip install podman-compose).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World

SERVICE = f"    image: {IMAGE}\n    command: sleep 1000\n    stop_grace_period: 0s\n"
HEALTHY = "    healthcheck: {test: [CMD, 'true'], interval: 1s}\n"
WAITS = "    depends_on: {s0: {condition: service_healthy}}\n"


def measure(world: World) -> list[Row]:
    beside = os.path.dirname(sys.executable)
    peer = shutil.which("podman-compose", path=f"{beside}:{os.environ['PATH']}")
    directory = world.directory / "ten"
    directory.mkdir()
    _write(directory / "compose.yaml")
    ours = [*world.rootless.argv, "compose", "--project-directory", str(directory)]
    rows: list[Row] = []
    contenders = [("rootless", ours, world.rootless.environment)]
    if peer and world.podman:
        words = world.podman.argv()
        globals_ = " ".join(words[1:])
        theirs = [peer, "--podman-path", words[0], f"--podman-args={globals_}", "-f", str(directory / "compose.yaml")]
        contenders.append(("podman-compose", theirs, world.podman.environment))
    else:
        print("    podman-compose left out: it is not installed")
    up = {name: command([*words, "up", "-d"], env) for name, words, env in contenders}
    down = {name: command([*words, "down", "-t", "0"], env) for name, words, env in contenders}
    starting = [Contender(name, up[name], down[name]) for name in up]
    rows += interleaved("compose up -d, 10 services", starting, rounds=3, goals={"podman-compose": 1 / 3})
    for run in up.values():
        run()
    looking = [Contender(name, command([*words, "ps"], env)) for name, words, env in contenders]
    rows += interleaved("compose ps, 10 services", looking, rounds=7)
    ending = [Contender(name, down[name], up[name]) for name in up]
    rows += interleaved("compose down, 10 services", ending, rounds=3, warm_up=0, goals={"podman-compose": 1 / 3})
    for run in down.values():
        run()
    return rows


def _write(path: Path) -> None:
    services = [f"  s{number}:\n{SERVICE}{HEALTHY if number == 0 else WAITS if number in (1, 2) else ''}" for number in range(10)]
    path.write_text("services:\n" + "".join(services))
