"""The command as pip installs it, where the path of the environment has a blank."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rootless import __version__
from rootless.cli.command_table import COMMANDS
from tests.harness.trees import remove_tree
from tests.need import need

WHEELS = Path(__file__).parents[2] / "packaging/wheels.py"
ZIPAPP = Path(__file__).parents[2] / "packaging/zipapp/build.py"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """One with a blank in its path, and in it a wheel, made out of the source distribution."""
    directory = Path(tempfile.mkdtemp(prefix="rl with blanks-", dir="/var/tmp"))
    try:
        scratch = directory / "my tmp"
        scratch.mkdir()
        subprocess.run([sys.executable, WHEELS, directory, "--no-build-isolation"], check=True, cwd=directory,
                       env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.PIPE)  # fmt: skip
        yield directory
    finally:
        remove_tree(directory)


@pytest.mark.timeout(600)  # with the wheel
def test_an_environment_and_a_source_with_blanks(directory: Path) -> None:
    environment = directory / "my env"
    # What it depends on is taken from this environment: nothing is to be fetched.
    made = subprocess.run([sys.executable, "-m", "venv", str(environment)], capture_output=True, text=True, check=False)
    need(made.returncode == 0, f"python -m venv: {made.stderr}")
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages/ours.pth"
     ).write_text(libraries + "\n")  # fmt: skip
    (wheel,) = directory.glob("*.whl")
    assert wheel.name.endswith(f".musllinux_1_1_{platform.machine()}.whl")
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--ignore-installed", str(wheel)], check=True, cwd=directory)
    link = directory / "link"
    link.symlink_to(environment / "bin/rootless")
    elsewhere = {**os.environ, "PATH": f"{environment}/bin:{os.environ['PATH']}"}
    for command in (str(environment / "bin/rootless"), str(link), "rootless"):
        done = subprocess.run([command, "version", "--format", "{{.Client.Version}}"], env=elsewhere, cwd=directory,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), command
    where = subprocess.run([environment / "bin/python", "-c", "import rootless; print(rootless.__file__)"],
                           cwd="/", capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert str(environment) in where
    # Its library is where only `site` finds it, by the .pth file.
    done = subprocess.run([environment / "bin/rootless", "run", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage:")
    with subprocess.Popen([link, "--root", directory / "store", "events"], stdout=subprocess.DEVNULL) as following:
        try:
            deadline = time.monotonic() + 60
            while Path(f"/proc/{following.pid}/comm").read_text() != "rootless\n":
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            following.kill()
    # Where man(1) and the shells look for a command that is found by PATH.
    assert (environment / "share/man/man1/rootless-run.1").read_text().startswith('.TH "ROOTLESS-RUN" 1 ')
    assert len(list((environment / "share/man/man1").iterdir())) == len(COMMANDS) + 2
    for name in ("bash-completion/completions/rootless", "zsh/site-functions/_rootless",
                 "fish/vendor_completions.d/rootless.fish"):  # fmt: skip
        assert "_ROOTLESS_COMPLETE" in (environment / "share" / name).read_text(), name
    done = subprocess.run([environment / "bin/rootless-oci", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(600)  # pip fetches what it carries
def test_one_file_that_python_runs(directory: Path) -> None:
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    version = f"3.{sys.version_info.minor}"
    subprocess.run([sys.executable, ZIPAPP, directory, "--python", version, "--libc", libc], check=True, stdout=subprocess.PIPE)
    program = directory / "rootless.pyz"
    assert (program.stat().st_mode & 0o777) == 0o755

    def run(command: Path, *words: str, data: str = "data") -> subprocess.CompletedProcess[str]:
        # Nothing of this environment: what it depends on it has with it.
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "XDG_DATA_HOME": str(directory / data)}
        argv = [os.path.realpath(sys.executable), "-I", str(command), *words]
        return subprocess.run(argv, env=environment, cwd="/", capture_output=True, text=True, check=False)

    # Two that unpack at once: one of them is the one that stays.
    with ThreadPoolExecutor(2) as threads:
        for done in threads.map(lambda _: run(program, "version", "--format", "{{.Client.Version}}"), range(2)):
            assert (done.returncode, done.stderr) == (0, ""), done.stderr
            assert done.stdout == f"{__version__}\n"
    (unpacked,) = (directory / "data/rootless-programs").iterdir()
    inode = unpacked.stat().st_ino
    assert list(unpacked.glob("lib/python3.*/site-packages/rootless/_bytecode/*.bin")), "each start would take twice the time"
    assert (unpacked / "share/man/man1/rootless-run.1").exists()
    # Programs for other ends of the same file: a link of that name, and the commands that it has unpacked.
    link = directory / "rootless-oci"
    link.symlink_to(program)
    assert run(link, "--version").stdout.startswith("rootless-oci version ")
    done = subprocess.run([unpacked / "bin/rootless", "run", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each.stat().st_ino for each in (directory / "data/rootless-programs").iterdir()] == [inode]

    unpacked.chmod(0o775)
    done = run(program, "version")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"rootless: {unpacked} is not a directory that only you can write to")  # fmt: skip
    whole = program.read_bytes()
    at = whole.index(b"\xfd7zXZ") + 1000
    damaged = directory / "damaged.pyz"
    damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    done = run(damaged, "version", data="other")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{damaged} is damaged" in done.stderr
    assert not (directory / "other").exists()
