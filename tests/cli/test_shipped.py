"""The packages that packaging/ makes: for another machine as well, and twice the same."""

from __future__ import annotations

import os
import platform
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rootless import __version__, paths
from rootless.engine.emulation.architectures import ARCHITECTURES
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.need import need, need_program

WHEELS = Path(__file__).parents[2] / "packaging/wheels.py"
HERE = platform.machine()
OTHER, ARCHITECTURE = ("aarch64", "arm64") if HERE == "x86_64" else ("x86_64", "amd64")
TREE = WHEELS.parents[1]


def make(directory: Path, *machines: str) -> list[Path]:
    wanted = [word for machine in machines for word in (("--machine", machine) if machine in (HERE, OTHER) else (machine,))]
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
    assert len(names) == 2 + len(list((Path(paths.__file__).parent / "_helpers").glob("rootless-*")))
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


@pytest.mark.full  # it compiles the programs
@pytest.mark.timeout(600)
def test_the_rpm(tmp_path: Path) -> None:
    """The spec is Fedora's; here rpmbuild makes it without what is named as needed."""
    need_program("rpmbuild")
    make(tmp_path / "dist", "--sdist")
    wanted = {"_topdir": tmp_path / "top", "_sourcedir": tmp_path / "dist", "__python3": sys.executable}
    defined = [word for name, value in wanted.items() for word in ("--define", f"{name} {value}")]
    done = subprocess.run(["rpmbuild", "-bb", "--nodeps", *defined, TREE / "packaging/rpm/rootless.spec"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    (package,) = tmp_path.glob("top/RPMS/*/rootless-*.rpm")
    listed = subprocess.run(["rpm", "-qpl", package], check=True, capture_output=True, text=True).stdout.splitlines()
    for name in ("/usr/bin/rootless-oci", "/usr/share/man/man1/rootless-oci.1", "/usr/lib/systemd/user/rootless.socket"):
        assert any(line.startswith(name) for line in listed), name
    assert not [line for line in listed if line.endswith("direct_url.json")]


@pytest.mark.full  # lmod is no small package
def test_the_module_of_a_cluster(tmp_path: Path) -> None:
    lmod = Path("/usr/share/lmod/lmod/libexec/lmod")
    need(lmod.exists(), "lmod is not installed")
    (tmp_path / "rootless").mkdir()
    (tmp_path / "rootless/1.lua").write_text((TREE / "packaging/lmod/rootless.lua").read_text())
    environment = {"PATH": "/usr/bin:/bin", "MODULEPATH": str(tmp_path), "HOME": str(tmp_path)}
    script = f'eval "$({lmod} bash load rootless)"; echo "$PATH"; echo "$XDG_DATA_DIRS"; echo "${{FPATH-none}}"'
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "/opt/rootless/commands:/usr/bin:/bin", "/opt/rootless/share:/usr/local/share:/usr/share", "none"], done.stderr  # fmt: skip


@pytest.mark.full  # uv is 20 MB, and the programs are compiled
@pytest.mark.timeout(900)
def test_uv_and_pipx(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Neither uses pip's own way of installing: uv writes the commands itself, into an environment in its cache. What a container
    needs at its end is there, too."""
    (wheel,) = (path for path in make(tmp_path / "dist", HERE) if path.suffix == ".whl")
    tools = tmp_path / "tools"
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    subprocess.run([tools / "bin/pip", "install", "-q", "uv", "pipx"], check=True)
    environment = rootless.environment | {
        "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_TOOL_DIR": str(tmp_path / "uv"), "UV_TOOL_BIN_DIR": str(tmp_path / "uv-bin"),
        "PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "pipx-bin"), "UV_PYTHON": sys.executable,
    } | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}  # fmt: skip
    for name, pips in (("UV_INDEX_URL", "PIP_INDEX_URL"), ("UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if pips in environment:
            environment[name] = environment[pips]

    def run(*words: str | Path) -> list[str]:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def works(*command: str | Path, lasting: bool) -> None:
        assert run(*command, "run", "--rm", "--network", "none", busybox_image, "echo", "it runs") == ["it runs"]
        assert run(*command[:-1], str(command[-1]) + "-oci", "--version")[0] == f"rootless-oci version {__version__}"
        run(*command, "run", "-d", "--rm", "--name", "stays", "--network", "none", busybox_image, "sleep", "1")
        wait_until(lambda: not rootless("ps", "-aq").lines, "its monitor has removed it")
        words = [*command, "system", "shims", "--dir", tmp_path / "shims", "docker"]
        shims = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert ("is in a cache" not in shims.stderr) == lasting, shims.stderr

    works(tools / "bin/uvx", "-q", "--from", wheel, "rootless", lasting=False)
    works(tools / "bin/pipx", "run", "--spec", wheel, "rootless", lasting=False)
    run(tools / "bin/uv", "tool", "install", "-q", wheel)
    run(tools / "bin/pipx", "install", "-q", wheel)
    works(tmp_path / "uv-bin/rootless", lasting=True)
    works(tmp_path / "pipx-bin/rootless", lasting=True)


def test_versions_are_the_same() -> None:
    log = (TREE / "packaging/debian/changelog").read_text()
    assert log.startswith(f"rootless ({__version__}) ")
    assert f"\nVersion:        {__version__}\n" in (TREE / "packaging/rpm/rootless.spec").read_text()
