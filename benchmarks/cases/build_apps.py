"""`build` of a Python (B1), a Node (B2) and a Go application (B4): cold, and with a line of the source changed; and what
the disk has more after three rebuilds.

The base is Debian with pip, npm and Go, bootstrapped once and loaded into both. Packages are made here, the network is
out of the figures. podman with --layers, its default.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, interleaved
from benchmarks.world import World

BASE = "localhost/bench/apps:latest"
PACKAGES = "python3-pip,python3-venv,golang-go,nodejs,npm"
SEED = 20_240_104
PYTHON = f"""\
FROM {BASE}
WORKDIR /app
COPY wheels /wheels
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install -q --break-system-packages --no-index --find-links /wheels -r requirements.txt
COPY . .
ENV A=1
CMD ["python3", "main.py"]
"""
NODE = f"""\
FROM {BASE} AS build
WORKDIR /app
COPY package.json .
COPY deps deps
RUN npm install --offline --no-audit --no-fund --silent
COPY src src
RUN node src/main.js > built.txt
FROM {BASE}
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/built.txt /app/
CMD ["cat", "/app/built.txt"]
"""
GO = f"""\
FROM {BASE} AS build
WORKDIR /src
COPY go.mod main.go ./
RUN --mount=type=cache,target=/root/.cache/go-build CGO_ENABLED=0 go build -o /app .
FROM scratch
COPY --from=build /app /app
ENTRYPOINT ["/app"]
"""
GO_MAIN = """\
package main

import ("fmt"; "net/http")

func main() { fmt.Println("%d", http.StatusText(200)) }
"""


def measure(world: World) -> list[Row]:
    if not world.podman:
        print("    left out: podman is not installed")
        return []
    archive = Path.home() / ".cache/rootless-tests/bench-apps.tar"
    if not archive.exists():
        world.rootless("bootstrap", "debian:bookworm", "--include", PACKAGES, "-t", BASE, timeout=1800)
        archive.parent.mkdir(parents=True, exist_ok=True)
        world.rootless("save", "-o", archive, BASE, timeout=600)
    world.both("load", "-i", str(archive))
    rows = []
    for name, write in (("Python", _python), ("Node", _node), ("Go", _go)):
        context = world.directory / name
        context.mkdir()
        change = write(context)
        image = f"bench/{name.lower()}"
        build = world.pair("build", "-q", "-t", image, str(context))
        forget = _forget(world, image)
        forget()
        rows += interleaved(f"build, {name} application, cold", [each._replace(reset=forget) for each in build], rounds=2,
                            warm_up=0, goals={"podman": 1 / 3})  # fmt: skip
        change()
        rows += interleaved(f"build, {name} application, a line changed", [each._replace(reset=change) for each in build],
                            rounds=3, goals={"podman": 1 / 3})  # fmt: skip
        rows.append(_disk(world, name, image, context, change))
        forget()
    return rows


def _disk(world: World, name: str, image: str, context: Path, change: Callable[[], None]) -> Row:
    """What three rebuilds, each with a line changed, leave behind."""
    assert world.podman is not None

    def used() -> tuple[float, float]:
        ours = world.rootless("unshare", "du", "-sk", world.rootless.root).stdout
        assert world.podman is not None
        theirs = world.podman("unshare", "du", "-sk", str(world.podman.directory))
        return int(ours.split()[0]) / 1024, int(theirs.split()[0]) / 1024

    before = used()
    for _ in range(3):
        change()
        world.both("build", "-q", "-t", image, str(context))
    after = used()
    ours, theirs = after[0] - before[0], after[1] - before[1]
    return Row(f"disk after three rebuilds, {name}", "podman", "MB", ours, theirs, ours / max(theirs, 0.1), 1, 1)


def _forget(world: World, image: str) -> Callable[[], None]:
    def forget() -> None:
        world.rootless("builder", "prune", "-af")
        world.rootless("rmi", "-f", image, status=None)
        if world.podman:
            words = world.podman.argv("rmi", "-f", image)  # not there the first time
            subprocess.run(words, env=world.podman.environment, capture_output=True, check=False)
            world.podman("image", "prune", "-f")
            world.podman("unshare", "sh", "-c", f"rm -rf {world.podman.temporary}/buildah-cache*")

    return forget


def _python(context: Path) -> Callable[[], None]:
    source = random.Random(SEED)
    (context / "wheels").mkdir()
    names = [f"made{number}" for number in range(12)]
    for name in names:
        with zipfile.ZipFile(context / f"wheels/{name}-1.0-py3-none-any.whl", "w") as wheel:
            files = {f"{name}/m{number}.py": _text(source, "value = '{}'\n") for number in range(120)}
            files[f"{name}/__init__.py"] = ""
            files[f"{name}-1.0.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            files[f"{name}-1.0.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            files[f"{name}-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files)
            for path, text in files.items():
                wheel.writestr(path, text)
    (context / "requirements.txt").write_text("".join(f"{name}==1.0\n" for name in names))
    (context / "Dockerfile").write_text(PYTHON)
    return _counting(lambda number: (context / "main.py").write_text(f"print({number})\n"))


def _node(context: Path) -> Callable[[], None]:
    source = random.Random(SEED)
    for directory in ("deps", "src"):
        (context / directory).mkdir()
    names = [f"made{number}" for number in range(200)]
    for name in names:
        with tarfile.open(context / f"deps/{name}.tgz", "w:gz", compresslevel=1) as tar:
            files = {f"package/lib/m{number}.js": _text(source, "module.exports = '{}';\n") for number in range(30)}
            files["package/package.json"] = json.dumps({"name": name, "version": "1.0.0", "main": "lib/m0.js"})
            for path, text in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
    wanted = {name: f"file:deps/{name}.tgz" for name in names}
    (context / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": wanted}))
    (context / "Dockerfile").write_text(NODE)
    return _counting(lambda number: (context / "src/main.js").write_text(f"console.log({number}, require('made1').length)\n"))


def _go(context: Path) -> Callable[[], None]:
    (context / "go.mod").write_text("module app\n\ngo 1.19\n")
    (context / "Dockerfile").write_text(GO)
    return _counting(lambda number: (context / "main.go").write_text(GO_MAIN % number))


def _counting(write: Callable[[int], object]) -> Callable[[], None]:
    numbers = iter(range(1_000_000))

    def change() -> None:
        write(next(numbers))

    change()
    return change


def _text(source: random.Random, form: str) -> str:
    return "".join(form.format(source.randbytes(40).hex()) for _ in range(25))
