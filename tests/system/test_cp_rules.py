"""cp between the host and containers by Docker's rules (harness/cp_rules.py), Podman beside us."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.cp_rules import DESTINATIONS, SOURCES, Sides, cases
from tests.harness.podman import Podman


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


@pytest.fixture
def box(rootless: Rootless, busybox_image: str, sides: Sides) -> str:
    """A container that has both sides, and was never started."""
    rootless("create", "--name", "box", "--network", "none", "-v", f"{sides.sources}:/s", "-v",
             f"{sides.destinations}:/t", busybox_image, "sleep", "600")  # fmt: skip
    return "box"


@pytest.mark.parametrize("way", ["out", "in", "between"])
def test_some_of_the_table(rootless: Rootless, sides: Sides, box: str, way: str) -> None:
    """All of it, against directories, is in tests/engine."""
    origin = f"{sides.sources}/" if way == "in" else f"{box}:/s/"
    target = f"{sides.destinations}/" if way == "out" else f"{box}:/t/"
    chosen = {("f", "file"), ("f", "file/"), ("f/", "new"), ("d", "dir/"), ("ld/.", "new"), ("ld/", "ldir")}
    todo = [case for case in cases(SOURCES) if case[:2] in chosen]
    assert sides.wrong(todo, lambda s, t: not rootless("cp", origin + s, target + t, status=None).status) == []
    rootless("rm", box)


def test_links_are_copied_as_links(rootless: Rootless, sides: Sides, box: str) -> None:
    for origin, target in ((f"{box}:/s", str(sides.destinations)), (str(sides.sources), f"{box}:/t")):
        sides.reset()
        for name, destination in (("lf", "dir"), ("ld", "dir"), ("lf", "new"), ("ld", "file")):
            rootless("cp", f"{origin}/{name}", f"{target}/{destination}")
        for name, goal in (("dir/lf", "f"), ("dir/ld", "d"), ("new", "f"), ("file", "d")):
            assert str((sides.destinations / name).readlink()) == goal
    rootless("rm", box)


def test_what_is_not_there_is_told_in_dockers_words(rootless: Rootless, box: str, tmp_path: Path) -> None:
    nowhere = f"rootless: Could not find the file /nope in container {box}\n"
    file = tmp_path / "file"
    file.touch()
    for words in ((f"{box}:/nope", tmp_path), (f"{box}:/nope", "-")):
        assert rootless("cp", *words, status=1).stderr == nowhere
    assert rootless("cp", file, f"{box}:/nowhere/x", status=1).stderr.endswith(f"/nowhere in container {box}\n")
    missing = rootless("cp", tmp_path / "no", f"{box}:/", status=1).stderr
    assert missing == f"rootless: lstat {tmp_path}/no: no such file or directory\n"
    rootless("rm", box)


def test_the_working_directory(rootless: Rootless, sides: Sides, box: str) -> None:
    """"." is what is in it, ".." a directory by its name; paths of a container begin at its root."""
    sides.reset()
    rootless("cp", ".", f"{box}:t/dir", cwd=sides.sources / "d")
    assert (sides.destinations / "dir/x").exists()
    rootless("cp", "..", f"{box}:/t/dir", cwd=sides.sources / "d")
    assert (sides.destinations / "dir/sources/f").exists()
    rootless("cp", f"{box}:s/f", ".", cwd=sides.destinations / "dir")
    assert (sides.destinations / "dir/f").exists()
    rootless("rm", box)


# Where Podman 4.3 has other rules than Docker: it replaces links and FIFOs, and wants a directory that ends in "/".
OTHERS = {"lfile", "dangling", "fifo", "new/", "new/.", "dir/.", "file/."}


@pytest.mark.parametrize("way", ["out", "in"])
def test_podman_agrees(podman: Podman, busybox_archive: Path, sides: Sides, way: str) -> None:
    podman("load", "-q", "-i", busybox_archive)
    podman("create", "--name", "box", "-v", f"{sides.sources}:/s", "-v", f"{sides.destinations}:/t", "busybox:latest")
    origin = "box:/s/" if way == "out" else f"{sides.sources}/"
    target = f"{sides.destinations}/" if way == "out" else "box:/t/"

    def run(source: str, destination: str) -> bool:
        argv = podman.argv("cp", origin + source, target + destination)
        return not subprocess.run(argv, env=podman.environment, capture_output=True, check=False).returncode

    assert set(DESTINATIONS) > OTHERS
    todo = [case for case in cases({name: SOURCES[name] for name in ("f", "d", "d/.")}) if case[1] not in OTHERS]
    found = sides.wrong(todo, run)
    podman("rm", "box")
    assert not found, "\n".join(found)
