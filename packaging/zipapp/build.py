"""One file that any Python runs: python packaging/zipapp/build.py DIRECTORY [--python 3.11]... [--libc gnu]...

DIRECTORY has the wheels that packaging/wheels.py made, of one machine or more; rootless.pyz is put there. What they depend on
comes from pip, as wheels for each Python and C library: without --python for all that are known, without --libc for both.

A zip file with two small modules and one member `payload`, a tar.xz: its directory is read at every start, so it is short.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# pip does not derive the older tags from the newest.
PLATFORMS = {
    "gnu": ("manylinux_2_28_{0}", "manylinux_2_26_{0}", "manylinux_2_17_{0}", "manylinux2014_{0}"),
    "musl": ("musllinux_1_2_{0}", "musllinux_1_1_{0}"),
}
TIME = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = re.compile(r"bin/.*|lib/site-packages/rootless/_helpers/.*")
BYTECODE = re.compile(r"lib/site-packages/rootless/_bytecode/.*")  # of one Python; each makes its own
ONE_MACHINE = re.compile(r"bin/rootless(-oci)?|lib/site-packages/rootless/_helpers/.*")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--python", action="append", choices=PYTHONS)
    parser.add_argument("--libc", action="append", choices=tuple(PLATFORMS))
    arguments = parser.parse_args()
    wheels = {str(path).rpartition("musllinux_1_1_")[2].removesuffix(".whl"): path
              for path in sorted(arguments.directory.glob("rootless-*.musllinux_1_1_*.whl"))}  # fmt: skip
    if not wheels:
        raise SystemExit(f"zipapp: no wheel in {arguments.directory}: python packaging/wheels.py {arguments.directory}")
    files: dict[str, bytes] = {}
    for machine, wheel in wheels.items():
        for name, data in installed(wheel):
            if not BYTECODE.fullmatch(name):
                files[f"machine/{machine}/{name}" if ONE_MACHINE.fullmatch(name) else f"common/{name}"] = data
        for python in arguments.python or PYTHONS:
            for libc in arguments.libc or PLATFORMS:
                files |= libraries(wheel, machine, python, libc)
    target = arguments.directory / "rootless.pyz"
    write(files, target)
    sys.stdout.write(f"{target}\n")


def installed(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file of a wheel where an installer puts it, below a prefix."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            data = re.fullmatch(r"[^/]+\.data/(scripts|data|purelib|platlib)/(.*)", entry.filename)
            prefix = {"scripts": "bin/", "data": ""}.get(data[1], "lib/site-packages/") if data else "lib/site-packages/"
            yield prefix + (data[2] if data else entry.filename), archive.read(entry)


def libraries(wheel: Path, machine: str, python: str, libc: str) -> dict[str, bytes]:
    """What the wheel depends on: pure packages are everybody's, others of this machine, Python and C library."""
    tag = f"python/cpython-{python.replace('.', '')}-{machine}-{libc}/"
    files = {}
    with tempfile.TemporaryDirectory(prefix="rootless-zipapp-") as scratch:
        platforms = [f"--platform={name.format(machine)}" for name in PLATFORMS[libc]]
        argv = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:", *platforms,
                "--python-version", python, "--implementation", "cp", "--dest", scratch, str(wheel)]  # fmt: skip
        if subprocess.run(argv, check=False).returncode:
            raise SystemExit(f"zipapp: pip has not all that is needed for Python {python} with {libc} on {machine}")
        for path in sorted(Path(scratch).glob("*.whl")):
            if path.name == wheel.name:
                continue
            place = "common/" if path.name.endswith("-none-any.whl") else tag
            for name, data in installed(path):
                if not re.search(r"/_cffi\..*\.so$", name):  # zstandard's way for other Pythons than CPython
                    files[place + name] = data
    return files


def write(files: dict[str, bytes], target: Path) -> None:
    """`files` and the program that unpacks them as the executable `target`; the same in gives the same out."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o755 if EXECUTABLE.fullmatch(name.split("/", 2 if name.startswith("machine/") else 1)[-1]) else 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    payload = lzma.compress(plain.getvalue(), preset=6)
    digest = hashlib.sha256(payload).hexdigest()
    new = target.with_name(target.name + ".new")
    with open(new, "wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "a") as app:
            program = (HERE / "__main__.py").read_text("utf-8").replace("@DIGEST@", digest)
            for name, data in (("__main__.py", program.encode()), ("unpack.py", (HERE / "unpack.py").read_bytes()), ("payload", payload)):
                app.writestr(zipfile.ZipInfo(name, TIME), data)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o755)
    new.replace(target)


if __name__ == "__main__":
    main()
