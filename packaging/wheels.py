"""The source distribution, and of it a wheel for each machine: python packaging/wheels.py DIRECTORY [--machine MACHINE]... [PIP'S OPTIONS]

    python packaging/wheels.py dist --machine x86_64 --machine aarch64
    python packaging/wheels.py dist --no-build-isolation        (fetches nothing; this machine alone)

The programs in a wheel are static, so one wheel is for every C library: its tags say manylinux and musllinux. For another
machine they are compiled by Debian's cross compiler (gcc-aarch64-linux-gnu) against musl, by packaging/cross.py; $CC_AARCH64
names a compiler that brings its own. The same source and the same compilers make the same bytes: SOURCE_DATE_EPOCH is the
time in all of it, else that of the newest commit.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "_helpers")
NOT_AT_THE_TOP = {"build", "dist", "tests", "benchmarks"}
MACHINES = ("x86_64", "aarch64")
# The oldest that pip of a Python 3.11 looks for: the kernel is all that the programs need.
TAGS = "manylinux_2_17_{0}.manylinux2014_{0}.musllinux_1_1_{0}"
FIRST_DATE_OF_ZIP = 315532800
UMASK = 0o022


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--machine", action="append", choices=MACHINES)
    parser.add_argument("--sdist", action="store_true", help="only the source distribution")
    arguments, pip = parser.parse_known_args()
    os.umask(UMASK)  # modes get into archives
    arguments.directory.mkdir(parents=True, exist_ok=True)
    made = make(arguments.directory.resolve(), machines=[] if arguments.sdist else arguments.machine or [platform.machine()], pip=pip)
    sys.stdout.write("".join(f"{path}\n" for path in made))


def make(directory: Path, *, machines: list[str], pip: list[str]) -> list[Path]:
    """Put the source distribution and the wheels into `directory`; their paths. SystemExit where a build fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date()), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with tempfile.TemporaryDirectory(prefix="rootless-wheels-") as name:
        scratch = Path(name)
        archive = source_distribution(scratch, directory, environment)
        made = [archive]
        for machine in machines:
            tag = TAGS.format(machine)
            compiler = compiler_for(machine, scratch)
            run(
                [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *pip, "--wheel-dir", str(directory), str(archive)],
                environment | {"ROOTLESS_WHEEL_PLATFORM": tag} | ({"CC": compiler} if compiler else {}), scratch,
            )  # fmt: skip
            made.append(next(directory.glob(f"rootless-*-py3-none-{tag}.whl")))
    return made


def date() -> int:
    """Seconds since 1970 that stand for "now" in all that is made."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        return int(given)
    argv = ["git", "-C", str(SOURCE), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return FIRST_DATE_OF_ZIP
    return int(done.stdout) if done.returncode == 0 else FIRST_DATE_OF_ZIP


def source_distribution(scratch: Path, directory: Path, environment: dict[str, str]) -> Path:
    """Works on a copy: what lies in a development tree (an egg-info above all) would get into it."""
    copy = scratch / "source"
    shutil.copytree(SOURCE, copy, ignore=_left_out)
    run([sys.executable, "-W", "ignore", "setup.py", "-q", "sdist", "--dist-dir", str(scratch)], environment, copy)
    shutil.rmtree(copy)
    (made,) = scratch.glob("rootless-*.tar.gz")
    path = directory / made.name
    normalise(made, path, int(environment["SOURCE_DATE_EPOCH"]))
    return path


def _left_out(directory: str, names: list[str]) -> set[str]:
    return NOT_SOURCE(directory, names) | (NOT_AT_THE_TOP if Path(directory) == SOURCE else set())


def normalise(archive: Path, target: Path, seconds: int) -> None:
    """`archive` as `target` without what differs from build to build: order, times, owners, the mode that a umask left."""
    plain = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            kept = tarfile.TarInfo(member.name)
            kept.type, kept.size, kept.mtime = member.type, member.size, seconds
            kept.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(kept, old.extractfile(member) if member.isfile() else None)
    new_name = target.with_name(target.name + ".new")
    with open(new_name, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=seconds) as packed:
        packed.write(plain.getvalue())
    os.replace(new_name, target)


def compiler_for(machine: str, scratch: Path) -> str:
    """What CC is for `machine`; "" for setup.py's own choice."""
    given = os.environ.get(f"CC_{machine.upper()}", "")
    if given or machine == platform.machine():
        return given
    script = SOURCE / "packaging" / "cross.py"
    done = subprocess.run([sys.executable, str(script), machine, str(scratch)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"wheels: no compiler for {machine}: see above")
    return done.stdout.strip()


def run(argv: list[str], environment: dict[str, str], directory: Path) -> None:
    done = subprocess.run(argv, env=environment, cwd=directory, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"wheels: {' '.join(argv)} failed")


if __name__ == "__main__":
    main()
