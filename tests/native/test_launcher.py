"""The commands' launcher: which interpreter it executes, and with what."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.launcher import build_commands

SHOW = "import os, sys; print(sys.flags.no_site, sys.flags.safe_path, sys.argv[1:], [os.path.exists(f'/dev/fd/{fd}') for fd in range(3)])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command as the build makes it."""
    return build_commands(tmp_path_factory.mktemp("commands"))


class Place:
    """A directory of commands; what is executed shows itself."""

    def __init__(self, directory: Path, built: Path) -> None:
        self.command = directory / "rootless-oci"
        self.script = directory / "rootless-python"
        directory.mkdir(parents=True)
        shutil.copy(built, self.command)

    def write(self, first_line: str, rest: str = SHOW) -> None:
        self.script.write_text(f"{first_line}\n{rest}\n")
        self.script.chmod(0o755)

    def run(self, *args: str, program: Path | None = None, close: str = "") -> subprocess.CompletedProcess[str]:
        argv = [str(program or self.command), *args]
        if close:
            argv = ["sh", "-c", f'exec "$@" {close}', "sh", *argv]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def place(tmp_path: Path, built: Path) -> Place:
    return Place(tmp_path / "bin", built)


ALL = "[True, True, True]"


def test_the_interpreter_of_the_first_line(place: Place, tmp_path: Path) -> None:
    place.write(f"#!{sys.executable}")
    expected = f"1 True ['rootless-oci', 'run', '', 'a b'] {ALL}\n"
    assert place.run("run", "", "a b").stdout == expected
    link = tmp_path / "a name of the user's"
    link.symlink_to(place.command)
    assert place.run("run", "", "a b", program=link).stdout == expected


def test_the_name_podman(place: Place, tmp_path: Path) -> None:
    """No other name of the caller's is passed on, and rootless-oci has but its own."""
    place.write(f"#!{sys.executable}")
    command = place.command.with_name("rootless")
    shutil.copy(place.command, command)

    def called(program: Path, name: str) -> str:
        argv = ["bash", "-c", 'exec -a "$1" "$2" ps', "sh", name, str(program)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout.split("[")[1]

    assert [called(command, name) for name in ("podman", "/usr/bin/podman")] == ["'podman', 'ps'] "] * 2
    for name in ("docker", "", "/", "podman/", "podman ", "../podman x", "p" * 100000, "rootless-oci", "-podman"):
        assert called(command, name) == "'rootless', 'ps'] ", name[:20]
    assert called(place.command, "podman") == "'rootless-oci', 'ps'] "
    link = tmp_path / "podman"
    link.symlink_to(command)
    assert place.run("ps", program=link).stdout == f"1 True ['podman', 'ps'] {ALL}\n"


@pytest.mark.parametrize("name", ["a blank", "long" * 60])
def test_a_path_that_no_first_line_can_have(tmp_path: Path, built: Path, name: str) -> None:
    place = Place(tmp_path / name / "bin", built)
    python = tmp_path / name / "bin/python3"
    python.symlink_to(sys.executable)
    place.write(f"#!{python}")
    with pytest.raises(OSError):
        subprocess.run([place.script], check=False)
    assert place.run("ps").stdout == f"1 True ['rootless-oci', 'ps'] {ALL}\n"


def test_options_of_an_installer(place: Place) -> None:
    place.write(f"#!{sys.executable} -sE")
    assert place.run("ps").stdout == f"1 True ['rootless-oci', 'ps'] {ALL}\n"


def test_a_blank_after_the_mark(place: Place) -> None:
    """As Debian's dh_python3 writes it."""
    place.write(f"#! {sys.executable}")
    assert place.run("ps").stdout == f"1 True ['rootless-oci', 'ps'] {ALL}\n"


def test_a_first_line_that_is_a_shell(place: Place) -> None:
    """Where an installer (uv, conda) writes one for a path with a blank."""
    place.write(f"#!/bin/sh\n'''exec' '{sys.executable}' \"$0\" \"$@\"\n' '''")
    assert place.run("ps").stdout == f"0 False ['rootless-oci', 'ps'] {ALL}\n"
    place.write("#!/usr/bin/env python3")
    assert place.run("ps").stdout == f"0 False ['rootless-oci', 'ps'] {ALL}\n"


@pytest.mark.parametrize("close", ["<&-", "2>&-", "<&- 2>&-", "</", "2</", "</ 2</"])
def test_streams_that_came_closed(place: Place, close: str) -> None:
    """Or as a directory, with which no interpreter starts."""
    place.write(f"#!{sys.executable}")
    assert place.run(close=close).stdout == f"1 True ['rootless-oci'] {ALL}\n"


def test_what_is_missing_is_told(place: Place) -> None:
    done = place.run("ps")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        f"rootless-oci: cannot read {place.script}: No such file or directory\nhint: install rootless again\n"
    )
    place.write("#!/nonexistent/python3")
    done = place.run("ps")
    assert done.returncode == 125
    assert "cannot execute /nonexistent/python3: No such file or directory" in done.stderr
    place.write("", rest="")
    assert place.run("ps").returncode == 125
