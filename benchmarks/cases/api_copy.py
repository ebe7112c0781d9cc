"""A gigabyte through the API: `docker cp` both ways and `docker load`, beside Podman's service, and the memory that ours takes for it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cases.api import Service, services_of
from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World

SIZE = 1 << 30
PEAK_KIB = 60 * 1024.0
ROUNDS = 3


def measure(world: World) -> list[Row]:
    docker = shutil.which("docker")
    if not docker or not world.podman:
        print("    left out: the docker command or podman is not installed")
        return []
    data, archive = world.directory / "gigabyte", world.directory / "gigabyte.tar"
    _write(data, archive)
    with ExitStack() as stack:
        ours, theirs = services_of(world, world.podman, stack)
        memory = stack.enter_context(_Peak(ours))

        def pair(*words: str, reset: tuple[str, ...] = ()) -> list[Contender]:
            return [
                Contender(name, command([docker, *words], each.client), command([docker, *reset], each.client) if reset else lambda: None)
                for name, each in (("rootless", ours), ("podman", theirs))
            ]

        world.both("create", "--name", "bench", IMAGE, "true")
        rows = interleaved("docker cp of 1 GiB into a container", pair("cp", str(data), "bench:/data"), rounds=ROUNDS, goals={"podman": 1})
        out = ["sh", "-c", f"{docker} cp bench:/data - >/dev/null"]
        copied = [Contender("rootless", command(out, ours.client)), Contender("podman", command(out, theirs.client))]
        rows += interleaved("docker cp of 1 GiB out of it", copied, rounds=ROUNDS, goals={"podman": 1})
        world.both("rm", "--force", "bench")
        loaded = pair("load", "-q", "-i", str(archive), reset=("rmi", "-f", "gigabyte:latest"))
        rows += interleaved("docker load of 1 GiB", loaded, rounds=ROUNDS, goals={"podman": 1})
        rows.append(Row("peak of private memory meanwhile", f"(goal {PEAK_KIB / 1024:g} MiB)", "KiB", memory.kib, PEAK_KIB,
                        memory.kib / PEAK_KIB, 1, 1))  # fmt: skip
        return rows


class _Peak:
    """A context: the most private memory that a service and its workers have had, looked at ten times a second."""

    def __init__(self, service: Service) -> None:
        self.kib = 0.0
        self._service = service
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a worker that has just ended
                self.kib = max(self.kib, self._service.private_kib())


def _write(data: Path, archive: Path) -> None:
    """A file that nothing makes smaller, and an image whose one layer has it, as `docker save` writes it."""
    with open("/dev/urandom", "rb") as source, open(data, "wb") as out:
        for _ in range(SIZE >> 20):
            out.write(source.read(1 << 20))
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        tar.add(data, "data")
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = json.dumps({
        "architecture": machine, "os": "linux", "config": {"Cmd": ["true"]}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created_by": "benchmarks"}],
    }).encode()  # fmt: skip
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": ["gigabyte:latest"], "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(archive, "w") as tar:
        for member, text in ((name, config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(member)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        tar.add(layer, f"{digest}/layer.tar")
    layer.unlink()
