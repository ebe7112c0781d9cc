"""A compiler of static programs for another machine: python packaging/cross.py MACHINE DIRECTORY prints its path.

Debian's and Ubuntu's cross compilers (gcc-aarch64-linux-gnu) come with glibc; musl for the other machine is the package
musl-dev of its architecture, which this fetches by apt, signatures checked, with lists of its own: the host's are not
touched, and nothing is installed. It lies in DIRECTORY, and so does the compiler's script.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
# apt's own directories, below DIRECTORY.
APT = ("state/lists/partial", "cache/archives/partial")


def main() -> None:
    machine, directory = sys.argv[1], Path(sys.argv[2]).resolve()
    gcc = shutil.which(f"{machine}-linux-gnu-gcc")
    if gcc is None:
        package = machine.replace("_", "-")
        raise SystemExit(f"cross: {machine}-linux-gnu-gcc is not installed: apt install gcc-{package}-linux-gnu")
    root = directory / f"musl-{machine}"
    if not root.exists():
        unpack(machine, directory, root)
    sys.stdout.write(f"{script(machine, gcc, root)}\n")


def unpack(machine: str, directory: Path, root: Path) -> None:
    """musl-dev of that architecture into `root`."""
    apt = directory / f"apt-{machine}"
    for name in APT:
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    # Only this distribution's own sources have that architecture for certain.
    sources = apt / "sources"
    sources.mkdir(exist_ok=True)
    architecture = DEBIAN[machine]
    options = {
        "APT::Architecture": architecture, "APT::Architectures": architecture, "Acquire::Languages": "none",
        "Dir::State": f"{apt}/state", "Dir::State::status": f"{apt}/status", "Dir::Cache": f"{apt}/cache",
        "Dir::Etc::SourceParts": str(sources), "APT::Sandbox::User": "",
    }  # fmt: skip
    for path in own_sources():
        shutil.copy(path, sources)
    apt_get = ["apt-get", "-qq", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    subprocess.run([*apt_get, "update"], check=True, cwd=apt)
    subprocess.run([*apt_get, "download", f"musl-dev:{architecture}"], check=True, cwd=apt)
    (package,) = apt.glob("musl-dev_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)


def own_sources() -> list[str]:
    """The host's files of sources that are the distribution's (not those somebody added)."""
    name = platform.freedesktop_os_release()["ID"]
    done = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages", "--format", "$(ORIGIN) $(SOURCESENTRY)"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    rows = [line.partition(" ") for line in done.stdout.splitlines()]
    found = {entry.rpartition(":")[0] or entry for origin, _, entry in rows if origin.lower() == name}
    if not found:
        raise SystemExit(f"cross: apt knows no sources of {name}: apt-get update")
    return sorted(found)


def script(machine: str, gcc: str, root: Path) -> Path:
    """The compiler: gcc with musl's specs, whose paths are below `root`."""
    triple = f"{machine}-linux-musl"
    specs = root / f"{triple}.specs"
    text = (root / f"usr/lib/{triple}/musl-gcc.specs").read_text(encoding="ascii")
    specs.write_text(text.replace(f"/usr/include/{triple}", f"{root}/usr/include/{triple}")
                     .replace(f"/usr/lib/{triple}", f"{root}/usr/lib/{triple}"), encoding="ascii")  # fmt: skip
    path = root / f"{triple}-gcc"
    path.write_text(f'#!/bin/sh\nexec {gcc} "$@" -specs {specs}\n', encoding="ascii")
    os.chmod(path, 0o755)
    return path


if __name__ == "__main__":
    main()
