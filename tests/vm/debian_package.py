"""The project's Debian package: built from this checkout, the same as a newer version, and installed on a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rootless import __version__
from tests.need import need_program
from tests.vm.machine import Machine

BUILD = Path(__file__).parents[2] / "packaging/debian/build.sh"
NEWER = "9.9.9"
LIMIT_S = 3600.0  # half an hour on a loaded machine


def build(directory: Path) -> Path:
    """Build the package into `directory`; its path. What lintian minds is an AssertionError."""
    need_program("mmdebstrap")
    _run(BUILD, directory, PYTHON=sys.executable)
    (package,) = directory.iterdir()
    assert package.name.startswith(f"rootless_{__version__}_"), package
    return package


def newer(package: Path, directory: Path) -> Path:
    """`package` as version NEWER: it says so to dpkg, and by `rootless version`."""
    assert len(NEWER) == len(__version__), "the bytecode says how long it is"
    tree = directory / "tree"
    _run("dpkg-deb", "-R", package, tree)
    libraries = tree / "usr/lib/python3/dist-packages"
    (libraries / f"rootless-{__version__}.dist-info").rename(libraries / f"rootless-{NEWER}.dist-info")
    modules = libraries / "rootless"
    for path in (tree / "DEBIAN/control", modules / "__init__.py", *modules.glob("_bytecode/*.bin")):
        data = path.read_bytes()
        assert __version__.encode() in data, path
        path.write_bytes(data.replace(__version__.encode(), NEWER.encode()))
    (tree / "DEBIAN/md5sums").unlink()
    made = directory / package.name.replace(__version__, NEWER)
    _run("dpkg-deb", "--root-owner-group", "-b", tree, made)
    return made


def install(machine: Machine, package: Path) -> str:
    """As an administrator does; what apt said."""
    machine.put(package, "/srv", user="root")
    install = f"export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get -y install /srv/{package.name}"
    return machine.run("root", f"({install}) 2>&1", timeout=600).stdout


def _run(*argv: str | Path, **environment: str) -> None:
    done = subprocess.run(
        argv, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{argv}: {done.stdout[-5000:]}"
