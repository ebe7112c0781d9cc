"""ROOTLESS_CACHE_MAX: what can be had again goes first by its use, what is here alone never."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.writable_registry import WritableRegistry
from tests.image.publishing import publish
from tests.image.strange_registry import tar_of

NOISE = {name: random.Random(name).randbytes(1_000_000) for name in ("old", "used", "pinned", "held", "new")}
DAY = 86_400


def size_of(path: Path) -> int:
    return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file() and not entry.is_symlink())


def images(rootless: Rootless, environment: dict[str, str]) -> set[str]:
    return {line.split("/")[-1] for line in rootless("images", "--format", "{{.Repository}}", env=environment).lines}


@pytest.mark.own_store
def test_what_can_be_had_again_goes(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    with WritableRegistry() as server:
        for name, data in NOISE.items():
            publish(server, name, os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"), layer=tar_of({name: data}))
        conf = tmp_path / "registries.conf"
        conf.write_text(f'[[registry]]\nprefix = "example.test"\nlocation = "{server.address}"\ninsecure = true\n')
        environment = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
        for name in ("old", "used", "pinned", "held"):
            rootless("pull", "-q", f"example.test/{name}", env=environment)
        rootless("tag", "example.test/pinned", "mine")
        rootless("create", "--name", "box", "--network", "none", "example.test/held", "sh")
        rootless("load", "-q", "-i", busybox_archive)
        rootless("create", "--name", "base", "--network", "none", "busybox")
        rootless("commit", "-q", "base", "built")
        rootless("rm", "base")
        ids = {name: rootless("inspect", "-f", "{{.Id}}", name).stdout.strip()[7:] for name in (
            "example.test/old", "example.test/used", "example.test/pinned", "example.test/held", "busybox", "built")}  # fmt: skip

        def age(days: Mapping[str, float]) -> None:
            for name, since in days.items():
                os.utime(rootless.root / f"images/by-id/{ids[name]}.json", (0, time.time() - since * DAY))

        age(dict.fromkeys(ids, 100) | {"example.test/used": 3, "example.test/held": 200})
        layers = rootless.root / "layers"
        before = len([entry for entry in layers.iterdir() if entry.name[0] != "."])
        # A cap that the unpacked layers of two images bring it to: nothing else goes, and the oldest of those first.
        cap = size_of(rootless.root / "blobs") + size_of(layers)
        done = rootless("pull", "-q", "example.test/new", env=environment | {"ROOTLESS_CACHE_MAX": str(cap)})
        assert "unpacked layers that no container has" in done.stderr
        assert "unused images" not in done.stderr
        assert len([entry for entry in layers.iterdir() if entry.name[0] != "."]) < before + 1
        assert images(rootless, environment) == {"old", "used", "pinned", "held", "new", "mine", "busybox", "built"}
        # Unpacked again, from the blobs.
        assert rootless("run", "--rm", "--network", "none", "busybox", "echo", "again").stdout == "again\n"
        # All that can go: `old` alone, for the others are used, pinned, held, or here alone.
        age(dict.fromkeys(ids, 100) | {"example.test/used": 3})
        shown = rootless("system", "df", env=environment | {"ROOTLESS_CACHE_MAX": "1k"}).stdout
        assert "Cap for images: " in shown
        assert "(ROOTLESS_CACHE_MAX)" in shown
        done = rootless("pull", "-q", "example.test/new", env=environment | {"ROOTLESS_CACHE_MAX": "1k"}, warns=True)
        assert "unused images: example.test/old:latest" in done.stderr
        assert "what is left has a container, was used within the hour, or is nowhere else" in done.stderr
        assert "image prune -a" in done.stderr
        assert images(rootless, environment) == {"used", "pinned", "held", "new", "mine", "busybox", "built"}
        assert rootless("run", "--rm", "--network", "none", "built", "echo", "built").stdout == "built\n"
        assert rootless("export", "box").raw.count(NOISE["held"][:1000]) == 1
        # Whatever makes an image keeps to it, and none begins with a value that is none.
        tree = tmp_path / "tree.tar"
        tree.write_bytes(tar_of({"file": b"x"}))
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY tree.tar /\n")
        makers = (
            ("pull", "-q", "example.test/new"), ("load", "-q", "-i", busybox_archive), ("import", "-q", tree, "imported"),
            ("commit", "-q", "box", "committed"), ("build", "-q", "-t", "made", tmp_path), ("bootstrap", "-q", "--tag", "made", "busybox"),
        )  # fmt: skip
        there = images(rootless, environment)
        for words in makers:
            wrong = rootless(*words, env=environment | {"ROOTLESS_CACHE_MAX": "much"}, status=1)
            assert "ROOTLESS_CACHE_MAX=much is no size" in wrong.stderr
        assert images(rootless, environment) == there
        for words in (makers[2], makers[5]):
            assert "(ROOTLESS_CACHE_MAX)" in rootless(*words, env=environment | {"ROOTLESS_CACHE_MAX": "1k"}, warns=True).stderr
        rootless("rm", "box")


@pytest.mark.own_store
def test_a_use_is_noted_once_a_day(rootless: Rootless, busybox_archive: Path) -> None:
    rootless("load", "-q", "-i", busybox_archive)
    (record,) = (rootless.root / "images/by-id").iterdir()
    for age, noted in ((DAY // 2, False), (2 * DAY, True), (-2 * DAY, True)):  # a later time is of another clock
        os.utime(record, (0, time.time() - age))
        before = record.stat().st_mtime_ns
        rootless("run", "--rm", "--network", "none", "busybox", "true")
        assert (record.stat().st_mtime_ns != before) is noted
