"""The build of the helpers: what it makes, and what it says where it cannot."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.monitored import STDIN, WILL_CLEAN, Monitor, eventually, own_memory
from tests.need import need, need_program

REPOSITORY = Path(__file__).resolve().parents[2]
PT_INTERP = 3
PROGRAMS = ("rootless-init", "rootless-exec", "rootless-holder", "rootless-imagefs", "rootless-monitor",
            "rootless-netd", "rootless-tether")


def build(target: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_helpers", "--build-lib", str(target), *options]
    return subprocess.run(
        argv, cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_programs_are_static_and_small(helpers: Path) -> None:
    if "ROOTLESS_HELPERS" in os.environ:
        pytest.skip("made elsewhere")
    for name in PROGRAMS:
        data = (helpers / name).read_bytes()
        assert data[:4] == b"\x7fELF"
        (at,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        types = [struct.unpack_from("<I", data, at + number * size)[0] for number in range(count)]
        assert PT_INTERP not in types, f"{name} wants a dynamic linker"
        assert len(data) < 1_000_000
        assert (helpers / name).stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize(("compiler", "own", "with_file"), [("musl-gcc", 32, 100), ("cc", 80, 300)])
def test_memory_while_waiting_by_compiler(tmp_path: Path, compiler: str, own: int, with_file: int) -> None:
    """Either builds without a warning. There is a monitor for each container; the second figure is with the
    pages of its program, which all monitors share."""
    need_program(compiler)
    done = build(tmp_path, "--werror", CC=compiler)
    assert done.returncode == 0, done.stderr
    waiting = subprocess.Popen([tmp_path / "rootless/_helpers/rootless-monitor", "--wait", "60000", "--", "true"])
    try:
        eventually(lambda: Path(f"/proc/{waiting.pid}/comm").read_text().startswith("rootless-"))
        rollup = Path(f"/proc/{waiting.pid}/smaps_rollup").read_text()
        assert own_memory(waiting.pid) < own, rollup
        assert int(rollup.split("\nRss:")[1].split()[0]) < with_file, rollup
    finally:
        waiting.kill()
        waiting.wait()


def test_no_compiler(tmp_path: Path, helpers: Path) -> None:
    done = build(tmp_path, CC="/no/such/compiler")
    assert done.returncode != 0
    assert "found no working C compiler (tried /no/such/compiler)" in done.stderr
    assert "apt install gcc libc6-dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_static_libc(tmp_path: Path, helpers: Path) -> None:
    wrapper = tmp_path / "cc"
    wrapper.write_text('#!/bin/sh\nfor a; do [ "$a" = -static ] && exit 1; done\nexec cc "$@"\n')
    wrapper.chmod(0o755)
    done = build(tmp_path, CC=str(wrapper))
    assert done.returncode != 0
    assert "cannot link a static program" in done.stderr
    assert "dnf install glibc-static" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("terminal", [False, True])
def test_private_memory(monitor: Monitor, terminal: bool) -> None:
    """Below 500 kB in its largest state: much output logged and rotated, its stdin stuck, ended."""
    if "ROOTLESS_HELPERS" in os.environ:
        pytest.skip("made elsewhere")
    options = ("--log-max-size", "500000", "--log-max-file", "3")
    script = "read go; seq 1 300000; exec sleep 100"
    client = monitor.start("sh", "-c", script, client=True, terminal=terminal, options=options).client
    assert client is not None
    client.send(STDIN, b"go\n")
    client.until(lambda client: b"\n300000" in client.stdout[-20:])
    client.send(STDIN, b"x" * 32768)
    client.send(STDIN, b"x" * 32768)
    client.send(STDIN, b"x" * 32768)
    client.send(WILL_CLEAN)
    rollup = Path(f"/proc/{monitor.pid}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    assert private < 500, "\n".join(rollup)


def test_the_commands_of_a_development_tree(tmp_path: Path) -> None:
    """Where `pip install -e` put the commands, build_helpers makes them anew with the helpers: a change of the launcher is in both.
    Another environment's are not touched."""
    tree, environment = tmp_path / "my tree", tmp_path / "env"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "_helpers", "build", "docs", "tests")
    shutil.copytree(REPOSITORY, tree, ignore=hidden)
    made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], capture_output=True, text=True, check=False)
    need(made.returncode == 0, f"python -m venv: {made.stderr}")
    (libraries,) = environment.glob("lib/python3*/site-packages")
    (libraries / "ours.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")) + "\n")
    python = environment / "bin/python"
    inplace = [str(python), "-W", "ignore", "setup.py", "-q", "build_helpers", "--inplace"]
    told = subprocess.run(inplace, cwd=tree, capture_output=True, text=True, check=True).stdout
    assert "none of this source tree" in told
    assert not (environment / "bin/rootless").exists()
    pip = [str(python), "-m", "pip", "install", "-qq", "--no-build-isolation", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, "-e", str(tree)], check=True, cwd=tmp_path)
    script = (environment / "bin/rootless-python").read_text()
    changes = {"helpers/launcher.c": ("install rootless again", "made anew"), "bin/rootless-python": ("import os\n", "import os  # anew\n")}
    for path, (old, new) in changes.items():
        (tree / path).write_text((tree / path).read_text().replace(old, new, 1))
    subprocess.run(inplace, cwd=tree, capture_output=True, check=True)
    for name in ("rootless", "rootless-oci"):
        assert b"made anew" in (environment / "bin" / name).read_bytes()
    assert (environment / "bin/rootless-python").read_text() == script.replace("import os\n", "import os  # anew\n", 1)
    done = subprocess.run([environment / "bin/rootless-oci", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
