"""The distribution's packages by apt, as an ordinary user: fetched into a directory, nothing of the host is changed.

apt verifies each by the host's keyrings: the archive's signature over its lists, their digests, and the package's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rootless.errors import NotSupported, RootlessError, Unavailable

_NO_SUCH_PACKAGE = re.compile(r"unable to locate|no (installation )?candidate|no installation candidate", re.IGNORECASE)
_INSTALLED = re.compile(r"Inst ([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)? .*", re.ASCII)
_REMOVED = re.compile(r"Remv ")


def require(hint: str) -> None:
    """NotSupported, with `hint`, where this is no Debian or Ubuntu."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise NotSupported(f"{program} is not installed: this is no Debian or Ubuntu", hint=hint)


class Apt:
    """apt with `scratch`, a directory of the caller's, for all that it writes. `report` gets lines for the user."""

    def __init__(self, scratch: str, report: Callable[[str], None]) -> None:
        self.scratch, self.report = scratch, report
        self.lists: list[str] = []  # settings, once the host's own lists were of no use

    def fetch(self, package: str) -> str | None:
        """The package's archive; None where the distribution has none of that name."""
        self.report(f"Fetching the package {package}")
        failure = self._with_lists("download", package)[1]
        found = [name for name in os.listdir(self.scratch) if name.startswith(package + "_") and name.endswith(".deb")]
        if found:
            return os.path.join(self.scratch, found[0])
        if _NO_SUCH_PACKAGE.search(failure):
            return None
        raise Unavailable(f"apt cannot fetch {package}: {failure or 'it left no file'}", hint="is there a network?")

    def needed(self, package: str) -> list[str] | None:
        """The package and those that it depends on and this host has not; None where the distribution has none of that name."""
        output, failure = self._with_lists("install", "--simulate", "--no-install-recommends", "--reinstall", package)
        if failure and _NO_SUCH_PACKAGE.search(failure):
            return None
        lines = output.splitlines()
        names = [found[1] for line in lines if (found := _INSTALLED.fullmatch(line))]
        if failure or any(_REMOVED.match(line) for line in lines):
            raise Unavailable(
                f"apt cannot say what {package} depends on: {failure or 'it would remove packages of this host'}",
                hint="ask the administrator to install it",
            )
        return names or [package]  # installed, in a version that the archive has no more

    def _with_lists(self, *words: str) -> tuple[str, str]:
        """By the host's own lists of packages, then, where those are old or not there, by new ones: (output, failure)."""
        output, failure = self._run(*words)
        if not failure or self.lists:
            return output, failure
        self.report("Reading the distribution's lists of packages")
        os.makedirs(f"{self.scratch}/lists/partial", exist_ok=True)
        self.lists = [f"Dir::State::Lists={self.scratch}/lists"]
        failure = self._run("update")[1]
        if failure:
            raise Unavailable(f"apt cannot read the distribution's lists: {failure}", hint="is there a network?")
        return self._run(*words)

    def _run(self, *words: str) -> tuple[str, str]:
        os.makedirs(f"{self.scratch}/cache/archives/partial", exist_ok=True)
        options = [f"Dir::Cache={self.scratch}/cache", "APT::Sandbox::User=", "Debug::NoLocking=true", *self.lists]
        command = ["apt-get", "-qq", *(word for option in options for word in ("-o", option)), *words]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # its messages are read
        done = subprocess.run(
            command, cwd=self.scratch, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode == 0:
            return output, ""
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("E: ")]
        return output, lines[0][3:] if lines else f"exit status {done.returncode}"


@contextmanager
def unpacking(archive: str) -> Iterator[tarfile.TarFile]:
    """The files of a package, to be read in order; who leaves early ends the reading. RootlessError where it cannot be read."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                yield tar
        except tarfile.TarError as error:
            raise RootlessError(f"{os.path.basename(archive)} cannot be read: {error}") from error
        finally:
            process.kill()  # the rest is not wanted


def keep(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, mode: int) -> None:
    """Write a regular file of the package to `path`, replaced at once and synced."""
    source = tar.extractfile(member)
    assert source is not None
    aside = f"{path}.new"
    with open(aside, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.rename(aside, path)


def names(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries of a package that are plain files or links."""
    return (member for member in tar if member.isreg() or member.issym())
