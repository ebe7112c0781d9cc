"""qemu-user into the user's home, out of the distribution's own package: apt fetches and verifies it, nobody needs root.

Only an explicit `rootless binfmt install` comes here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress

from rootless.engine.emulation import interpreters
from rootless.engine.emulation.architectures import (
    ARCHITECTURES,
    COMMON,
    Architecture,
    is_foreign,
    is_static_program,
)
from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import platforms
from rootless.storage.remove_tree import remove_tree

# Debian 12 and Ubuntu have static programs in the first, Debian 13 in the second.
_PACKAGES = ("qemu-user-static", "qemu-user")
_PROGRAM_MAX_BYTES = 200 << 20


def wanted(words: Sequence[str]) -> list[Architecture]:
    """The architectures that the words name, linux/arm64 or aarch64; without words all that images are often made
    for. InvalidInput for what is none, or is this machine's own."""
    if not words:
        return [ARCHITECTURES[name] for name in COMMON if is_foreign(name)]
    found = []
    for word in words:
        name = platforms.parse(word).architecture
        if name not in ARCHITECTURES:
            raise InvalidInput(f"qemu-user does not run programs for {name}", hint="one of " + ", ".join(sorted(ARCHITECTURES)))
        if not is_foreign(name):
            raise InvalidInput(f"this machine runs programs for {name} itself")
        found.append(ARCHITECTURES[name])
    return found


def install(architectures: Sequence[Architecture], report: Callable[[str], None]) -> None:
    """Fetch the package and keep the programs of `architectures`; what is there is replaced. `report` gets lines."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise NotSupported(
                f"{program} is not installed: this is no Debian or Ubuntu",
                hint=f"put a static qemu-ARCH-static, as your distribution or a friend has it, into {interpreters.directory()} "
                "or on your PATH; it is found there",
            )
    os.makedirs(interpreters.directory(), mode=0o700, exist_ok=True)
    scratch = os.path.join(interpreters.directory(), f".new-{os.getpid()}")
    remove_tree(scratch)
    os.mkdir(scratch, 0o700)
    try:
        missing = list(architectures)
        for package in _PACKAGES:
            archive = _fetch(package, scratch, report)
            if archive is not None:
                missing = _keep(archive, missing, scratch, report)
            if not missing:
                return
        raise NotFound(
            "the distribution's packages have no static program for " + ", ".join(one.name for one in missing),
            hint=f"put qemu-{missing[0].qemu}-static on your PATH, or into {interpreters.directory()}",
        )
    finally:
        remove_tree(scratch)


def remove(architectures: Sequence[Architecture]) -> list[str]:
    """Delete installed programs; the names of the architectures that had one."""
    gone = []
    for architecture in architectures:
        with suppress(FileNotFoundError):
            os.unlink(interpreters.installed_path(architecture))
            gone.append(architecture.name)
    return gone


def _fetch(package: str, scratch: str, report: Callable[[str], None]) -> str | None:
    """The package's archive; None where the distribution has none of that name. First by the host's own lists of
    packages, then, where those are old or not there, by new ones."""
    report(f"Fetching the package {package}")
    failure = _apt(scratch, "download", package)
    if failure:
        report("Reading the distribution's lists of packages")
        lists = [f"Dir::State={scratch}/state", f"Dir::State::Lists={scratch}/state/lists", "Dir::State::status=/var/lib/dpkg/status"]
        os.makedirs(f"{scratch}/state/lists/partial", exist_ok=True)
        failure = _apt(scratch, "update", settings=lists)
        if failure:
            raise Unavailable(f"apt cannot read the distribution's lists: {failure}", hint="is there a network?")
        failure = _apt(scratch, "download", package, settings=lists)
    found = [name for name in os.listdir(scratch) if name.startswith(package + "_") and name.endswith(".deb")]
    if found:
        return os.path.join(scratch, found[0])
    if "Unable to locate" in failure or "has no installation candidate" in failure or "no candidate" in failure.lower():
        return None
    raise Unavailable(f"apt cannot fetch {package}: {failure or 'it left no file'}", hint="is there a network?")


def _apt(scratch: str, *words: str, settings: Sequence[str] = ()) -> str:
    """Run apt-get with nothing but `scratch` to write to; "" where it succeeded, else its reason."""
    os.makedirs(f"{scratch}/cache/archives/partial", exist_ok=True)
    options = [f"Dir::Cache={scratch}/cache", "APT::Sandbox::User=", *settings]
    command = ["apt-get", "-qq", *(word for option in options for word in ("-o", option)), *words]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # its messages are read
    done = subprocess.run(command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("E: ")]
    return lines[0][3:] if lines else f"exit status {done.returncode}"


def _keep(archive: str, architectures: list[Architecture], scratch: str, report: Callable[[str], None]) -> list[Architecture]:
    """Take the programs out of the package; the architectures that it had none for."""
    by_name = {f"qemu-{one.qemu}{ending}": one for one in architectures for ending in ("-static", "")}
    left = list(architectures)
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar,
    ):
        for member in tar:
            architecture = by_name.get(os.path.basename(member.name))
            source = tar.extractfile(member) if architecture in left and member.isreg() else None
            if architecture is None or source is None or member.size > _PROGRAM_MAX_BYTES:
                continue
            aside = os.path.join(scratch, "program")
            with open(aside, "wb") as program:
                shutil.copyfileobj(source, program, 1 << 20)
                program.flush()
                os.fchmod(program.fileno(), 0o755)
                os.fsync(program.fileno())
            if is_static_program(aside):
                os.rename(aside, interpreters.installed_path(architecture))
                left.remove(architecture)
                report(f"Installed {interpreters.installed_path(architecture)}")
            if not left:
                unpacking.kill()  # the rest of the package is not needed
                return left
    if unpacking.returncode != 0:
        raise RootlessError(f"dpkg-deb cannot read {os.path.basename(archive)} (exit status {unpacking.returncode})")
    return left
