"""`rootless helpers`: the programs that rootless starts, where the host has not got them, out of the distribution's packages.

Each has a directory of its own below paths.helpers_directory(), in it bin/PROGRAM and lib/: the libraries that the host lacks.
Where it has them all, bin/PROGRAM is the program; else a script that has the host's loader execute lib/PROGRAM with that lib/.
A directory is written aside, tried, and takes the old one's place by rename(2): a program that runs keeps its own.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import struct
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rootless import paths
from rootless.engine.host_programs import apt
from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError
from rootless.storage.remove_tree import remove_tree


class Helper(NamedTuple):
    """`package` as Debian and Ubuntu call it, `program`, and what containers have of it. `file`: what it is a link to there."""

    package: str
    program: str
    use: str
    file: str = ""


HELPERS = {
    one.program: one
    for one in (
        Helper("slirp4netns", "slirp4netns", "networks"),
        Helper("passt", "pasta", "networks (--network pasta)", "passt"),
        Helper("fuse-overlayfs", "fuse-overlayfs", "layers where the kernel's overlay does not work"),
        Helper("squashfuse", "squashfuse_ll", "image files (squashfs, SIF)"),
    )
}
USUAL = ("slirp4netns", "fuse-overlayfs", "squashfuse_ll")
_WORDS = {helper.package: name for name, helper in HELPERS.items()} | {name: name for name in HELPERS}
_PROGRAM_PLACES = {"usr/bin", "bin", "usr/sbin", "sbin"}
_LIBRARY = re.compile(r"lib[A-Za-z0-9_+.-]+\.so(\.[0-9.]+)?", re.ASCII)
_LIBRARY_PLACE = re.compile(r"(usr/)?lib(/[a-z0-9_]+-linux-gnu[a-z0-9]*)?", re.ASCII)
_FILE_MAX_BYTES = 200 << 20
_RECORD = "packages"


def wanted(words: Sequence[str]) -> list[Helper]:
    """What the words name, packages or programs; without words what most containers use. InvalidInput for others."""
    found = []
    for word in words or USUAL:
        if word.startswith("qemu"):
            raise InvalidInput(f"{word!r} is fetched by another command", hint="rootless binfmt install [ARCHITECTURE...]")
        if word in ("uidmap", "newuidmap", "newgidmap"):
            raise InvalidInput(
                f"{word!r} works with root's rights alone, which nobody can give it in a home",
                hint="ask the administrator for the package uidmap; without it users of containers are emulated",
            )
        if word not in _WORDS:
            raise InvalidInput(f"{word!r} is no helper", hint="one of " + ", ".join(HELPERS))
        found.append(HELPERS[_WORDS[word]])
    return found


def directory(helper: Helper) -> str:
    """Where it is installed; it need not exist."""
    return os.path.join(paths.helpers_directory(), helper.program)


def packages(helper: Helper) -> list[str]:
    """What is installed of it: package_version, its own first; empty where it is not installed."""
    try:
        with open(f"{directory(helper)}/{_RECORD}", encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def install(helper: Helper, report: Callable[[str], None]) -> None:
    """Fetch and keep it; what is there is replaced. `report` gets lines."""
    apt.require(f"ask the administrator for {helper.package}, or put a static {helper.program} into a directory on your PATH")
    parent = paths.helpers_directory()
    os.makedirs(parent, mode=0o700, exist_ok=True)
    scratch = os.path.join(parent, ".new")
    with open(os.path.join(parent, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_tree(scratch)  # of one that was killed
        os.mkdir(scratch, 0o700)
        try:
            _install(helper, scratch, report)
        finally:
            remove_tree(scratch)


def _install(helper: Helper, scratch: str, report: Callable[[str], None]) -> None:
    source = apt.Apt(scratch, report)
    names = source.needed(helper.package)
    if names is None:
        raise NotFound(f"the distribution has no package {helper.package}", hint="put the program on your PATH")
    new = os.path.join(scratch, helper.program)
    for part in (new, f"{new}/bin", f"{new}/lib"):
        os.mkdir(part, 0o755)
    record = []
    for name in sorted(names, key=lambda name: name != helper.package):
        archive = source.fetch(name)
        if archive is None:
            raise NotFound(f"the distribution has no package {name}, which {helper.package} depends on")
        record.append("_".join(os.path.basename(archive).split("_")[:2]).replace("%3a", ":"))
        _unpack(archive, helper if name == helper.package else None, new)
    if not os.path.exists(f"{new}/bin/{helper.program}"):
        raise NotFound(f"{helper.package} has no program {helper.program}")
    if os.listdir(f"{new}/lib"):
        _by_loader(helper, new)
    with open(f"{new}/{_RECORD}", "w", encoding="utf-8") as file:
        file.write("\n".join(record) + "\n")
        file.flush()
        os.fsync(file.fileno())
    _exchange(helper, new, scratch)
    report(f"Installed {directory(helper)}/bin/{helper.program} ({record[0]})")


def remove(helpers: Sequence[Helper]) -> list[str]:
    """Delete installed ones; the names of those that were there. Containers that run keep theirs."""
    gone = []
    for helper in helpers:
        if os.path.isdir(directory(helper)):
            remove_tree(directory(helper))
            gone.append(helper.program)
    return gone


def _unpack(archive: str, helper: Helper | None, new: str) -> None:
    """Take libraries out of a package, and the program of `helper`. Names without any directory: none leads out of `new`."""
    with apt.unpacking(archive) as tar:
        for member in apt.names(tar):
            place, name = os.path.split(os.path.normpath(member.name))
            if helper and place in _PROGRAM_PLACES and name == (helper.file or helper.program) and member.isreg():
                _check(member)
                apt.keep(tar, member, f"{new}/bin/{helper.program}", 0o755)
            elif _LIBRARY_PLACE.fullmatch(place) and _LIBRARY.fullmatch(name):
                _check(member)
                if member.isreg():
                    apt.keep(tar, member, f"{new}/lib/{name}", 0o644)
                elif _LIBRARY.fullmatch(member.linkname):
                    os.symlink(member.linkname, f"{new}/lib/{name}")


def _check(member: tarfile.TarInfo) -> None:
    if member.size > _FILE_MAX_BYTES:
        raise RootlessError(f"{member.name} has {member.size} bytes, more than any program of a helper")


def _by_loader(helper: Helper, new: str) -> None:
    """bin/PROGRAM becomes a script: only the loader's own option concerns this program and none that it starts."""
    program = f"{new}/lib/{helper.program}"
    os.rename(f"{new}/bin/{helper.program}", program)
    loader = _interpreter(program)
    if loader is None:
        os.rename(program, f"{new}/bin/{helper.program}")  # static
        return
    lib = f"{directory(helper)}/lib"
    text = f'#!/bin/sh\nexec {loader} --library-path {shlex.quote(lib)} {shlex.quote(f"{lib}/{helper.program}")} "$@"\n'
    with open(f"{new}/bin/{helper.program}", "w", encoding="utf-8") as script:
        script.write(text)
        script.flush()
        os.fchmod(script.fileno(), 0o755)
        os.fsync(script.fileno())


def _interpreter(program: str) -> str | None:
    """The loader that a program names (elf(5), PT_INTERP); None for a static one. NotSupported where the host has it not."""
    with open(program, "rb") as file:
        data = file.read(1 << 16)
    if data[:6] != b"\x7fELF\x02\x01":
        raise NotSupported(f"{os.path.basename(program)} is no program for this machine")
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(table, min(table + size * count, len(data) - 56), size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == 3:
            path = data[offset : offset + length].rstrip(b"\0").decode("ascii", "replace")
            if re.fullmatch(r"/lib[A-Za-z0-9._/-]*", path) and os.access(path, os.X_OK):
                return path
            raise NotSupported(f"{os.path.basename(program)} wants the loader {path}, which this host has not")
    return None


def _exchange(helper: Helper, new: str, scratch: str) -> None:
    """Put `new` where it belongs, and try it there: the script names that place. What was there comes back if it fails."""
    target, old = directory(helper), os.path.join(scratch, "old")
    had = os.path.isdir(target)
    if had:
        os.rename(target, old)
    os.rename(new, target)
    _sync(os.path.dirname(target))
    reason = _fails(f"{target}/bin/{helper.program}")
    if reason:
        os.rename(target, os.path.join(scratch, "failed"))
        if had:
            os.rename(old, target)
        raise NotSupported(f"{helper.program} does not run here: {reason}", hint="ask the administrator to install it")


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _fails(program: str) -> str:
    """Why it cannot be executed: its loader's or the kernel's reason; "" where it can."""
    try:
        done = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        return f"{program}: {error.strerror}"
    said = done.stderr.decode(errors="replace")
    if done.returncode in (126, 127) or "error while loading shared libraries" in said:
        return said.strip().splitlines()[0] if said.strip() else f"exit status {done.returncode}"
    return ""
