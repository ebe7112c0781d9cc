"""The command as pip installs it, where the path of the environment has a blank."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rootless.cli.command_table import COMMANDS
from tests.harness.trees import remove_tree
from tests.need import need

WHEELS = Path(__file__).parents[2] / "packaging/wheels.py"


@pytest.mark.timeout(300)
def test_an_environment_and_a_source_with_blanks() -> None:
    directory = Path(tempfile.mkdtemp(prefix="rl with blanks-", dir="/var/tmp"))
    try:
        environment, scratch = directory / "my env", directory / "my tmp"
        scratch.mkdir()
        # What it depends on is taken from this environment: nothing is to be fetched.
        made = subprocess.run([sys.executable, "-m", "venv", str(environment)], capture_output=True, text=True, check=False)
        need(made.returncode == 0, f"python -m venv: {made.stderr}")
        libraries = next(path for path in sys.path if path.endswith("site-packages"))
        (environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages/ours.pth"
         ).write_text(libraries + "\n")  # fmt: skip
        # Out of the source distribution, in a directory with a blank, for an environment without one.
        subprocess.run([sys.executable, WHEELS, directory, "--no-build-isolation"], check=True, cwd=directory,
                       env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.PIPE)  # fmt: skip
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
        assert len(list((environment / "share/man/man1").iterdir())) == len(COMMANDS) + 1
        for name in ("bash-completion/completions/rootless", "zsh/site-functions/_rootless",
                     "fish/vendor_completions.d/rootless.fish"):  # fmt: skip
            assert "_ROOTLESS_COMPLETE" in (environment / "share" / name).read_text(), name
        done = subprocess.run([environment / "bin/rootless-oci", "--version"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        remove_tree(directory)
