"""qemu-user into the user's home, out of the distribution's own package: apt fetches and verifies it, nobody needs root.

Only an explicit `rootless binfmt install` comes here.
"""

from __future__ import annotations

import os
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
from rootless.engine.host_programs import apt
from rootless.errors import InvalidInput, NotFound
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
    apt.require(
        f"put a static qemu-ARCH-static, as your distribution or a friend has it, into {interpreters.directory()} "
        "or on your PATH; it is found there"
    )
    os.makedirs(interpreters.directory(), mode=0o700, exist_ok=True)
    scratch = os.path.join(interpreters.directory(), f".new-{os.getpid()}")
    remove_tree(scratch)
    os.mkdir(scratch, 0o700)
    try:
        missing, source = list(architectures), apt.Apt(scratch, report)
        for package in _PACKAGES:
            archive = source.fetch(package)
            if archive is not None:
                missing = _keep(archive, missing, report)
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


def _keep(archive: str, architectures: list[Architecture], report: Callable[[str], None]) -> list[Architecture]:
    """Take the programs out of the package; the architectures that it had none for."""
    by_name = {f"qemu-{one.qemu}{ending}": one for one in architectures for ending in ("-static", "")}
    left = list(architectures)
    with apt.unpacking(archive) as tar:
        for member in apt.names(tar):
            architecture = by_name.get(os.path.basename(member.name))
            if architecture is None or architecture not in left or not member.isreg() or member.size > _PROGRAM_MAX_BYTES:
                continue
            aside = os.path.join(os.path.dirname(archive), "program")
            apt.keep(tar, member, aside, 0o755)
            if is_static_program(aside):
                os.rename(aside, interpreters.installed_path(architecture))
                left.remove(architecture)
                report(f"Installed {interpreters.installed_path(architecture)}")
            if not left:
                break  # the rest of the package is not needed
    return left
