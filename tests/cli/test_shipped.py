"""What packaging/wheels.py makes: for another machine as well, and twice the same."""

from __future__ import annotations

import platform
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rootless.engine.emulation.architectures import ARCHITECTURES
from tests.harness.command import Rootless
from tests.need import need_program

WHEELS = Path(__file__).parents[2] / "packaging/wheels.py"
HERE = platform.machine()
OTHER, ARCHITECTURE = ("aarch64", "arm64") if HERE == "x86_64" else ("x86_64", "amd64")


def make(directory: Path, *machines: str) -> list[Path]:
    wanted = [word for machine in machines for word in ("--machine", machine)]
    subprocess.run([sys.executable, WHEELS, directory, *wanted, "--no-build-isolation"], check=True, stdout=subprocess.PIPE)
    return sorted(directory.iterdir())


@pytest.mark.full  # a cross compiler is 90 MB, and both machines' programs take minutes
@pytest.mark.timeout(900)
def test_wheels_of_both_machines(rootless: Rootless, tmp_path: Path) -> None:
    need_program(f"{OTHER}-linux-gnu-gcc")
    once = make(tmp_path / "once", HERE, OTHER)
    again = make(tmp_path / "again", HERE, OTHER)
    assert [path.name for path in once] == [path.name for path in again]
    assert len(once) == 3
    for one, other in zip(once, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name

    (wheel,) = (tmp_path / "once").glob(f"*musllinux_1_1_{OTHER}.whl")
    programs = tmp_path / "programs"
    compiled = re.compile(r".*/_helpers/.*|.*/scripts/rootless(-oci)?")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if compiled.fullmatch(name)]
        for name in names:
            archive.extract(name, programs)
    assert len(names) == 9
    for name in names:
        path = programs / name
        path.chmod(0o755)
        (machine,) = struct.unpack_from("<H", path.read_bytes(), 18)
        assert machine == ARCHITECTURES[ARCHITECTURE].machine, name

    # By qemu-user they do what they are for: the helper that a container's first process is, and the launcher.
    rootless("binfmt", "install", ARCHITECTURE, timeout=600)
    rows = (line.split() for line in rootless("binfmt", "ls", "--format", "{{.Architecture}} {{.Interpreter}}").lines)
    qemu = dict(rows)[ARCHITECTURE]
    init = programs / "rootless/_helpers/rootless-init"
    done = subprocess.run([qemu, init, "--", "sh", "-c", "exit 7"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    execute = programs / "rootless/_helpers/rootless-exec"
    done = subprocess.run([qemu, execute, "-1", "/bin/echo", "echo", "well"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("well\n", "")
    (launcher,) = (path for path in programs.rglob("scripts/rootless"))
    (launcher.parent / "rootless-python").write_text("#!/bin/sh\necho \"$@\"\n")
    (launcher.parent / "rootless-python").chmod(0o755)
    done = subprocess.run([qemu, launcher, "version"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("rootless version\n", "")
