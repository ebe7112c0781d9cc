"""`system shims`: other programs' names for rootless, which work as those programs are called, and take nobody's place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.harness.command import Rootless


def test_they_are_rootless(rootless: Rootless, tmp_path: Path) -> None:
    directory = tmp_path / "a b/bin"
    made = rootless("system", "shims", "--dir", directory, "docker", "docker-compose", "podman")
    assert made.lines == [f"{directory}/{name}" for name in ("docker", "docker-compose", "podman")]
    environment = {**rootless.environment, "PATH": f"{directory}:/usr/bin:/bin"}

    def run(*words: str) -> str:
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    (tmp_path / "compose.yaml").write_text("services: {one: {image: busybox}, two: {image: busybox}}\n")
    assert run("docker", "ps", "-a", "--format", "{{.Names}} it's") == ""
    assert run("docker-compose", "config", "--services").split() == ["one", "two"]
    assert run("docker", "compose", "config", "--services") == run("podman", "compose", "config", "--services")
    assert rootless("system", "shims", "--dir", directory, "docker").lines == [f"{directory}/docker"], "made anew"
    rootless("system", "shims", "--remove", "--dir", directory, "docker", "podman")
    assert os.listdir(directory) == ["docker-compose"]


def test_they_take_nobodys_place(rootless: Rootless, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho the real one\n")
    os.symlink("/bin/true", tmp_path / "podman")
    os.mkfifo(tmp_path / "docker-compose")
    for name in ("docker", "podman", "docker-compose"):
        assert "none of ours" in rootless("system", "shims", "--dir", tmp_path, name, status=1).stderr
        assert "none of ours" in rootless("system", "shims", "--remove", "--dir", tmp_path, name, status=1).stderr
    assert (tmp_path / "docker").read_text().endswith("the real one\n")
    assert sorted(os.listdir(tmp_path)) == ["docker", "docker-compose", "podman"]


def test_words(rootless: Rootless, tmp_path: Path) -> None:
    assert "name the shims" in rootless("system", "shims", status=1).stderr
    assert "no shim is called 'sh'" in rootless("system", "shims", "--dir", tmp_path, "sh", status=1).stderr
    assert "No such shim" in rootless("system", "shims", "--remove", "--dir", tmp_path, "docker", status=1).stderr
    elsewhere = rootless("system", "shims", "--dir", tmp_path / "bin", "docker", warns=True).stderr
    assert f'export PATH="{tmp_path}/bin:$PATH"' in elsewhere
