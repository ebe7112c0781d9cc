"""The kernel's overlay of a container's layers, as many as an image has. Hot path."""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.linux import mount as m
from rootless.linux.rlimit import many_descriptors
from rootless.runtime.descriptors import close_all

_PATH = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# As many as mount(2)'s one page of data has room for by /proc/self/fd/N, and OVL_MAX_STACK of the kernel.
_FEW_LAYERS, MOST_LAYERS = 180, 500


def mount_overlay(path: str, lower: tuple[str, ...], *, upper: str, work: str) -> None:
    """Mount the layers `lower`, topmost first, and `upper` at `path`; read-only where `upper` is "".

    Layers are named by descriptor: no character in a path needs escaping, and no path of the host shows in
    mountinfo. NotSupported for more layers than the kernel's overlay has.
    """
    if len(lower) > _FEW_LAYERS:
        _mount_many_layers(path, lower, upper, work)
        return
    fds: list[int] = []
    try:
        data = _overlay_data(lower, upper, work, fds, "/proc/self/fd/")
        m.mount("overlay", path, "overlay", 0 if upper else m.MS_RDONLY, data)
    finally:
        close_all(fds)


def _mount_many_layers(path: str, lower: tuple[str, ...], upper: str, work: str) -> None:
    """Mount by short names: mount(2) has one page for them all, and in /proc/self/fd they are numbers."""
    if len(lower) > MOST_LAYERS:
        raise NotSupported(
            f"the image has {len(lower)} layers, and the kernel's overlay holds {MOST_LAYERS}",
            hint="squash the image, or give each container a copy: ROOTLESS_STORAGE_DRIVER=directory",
        )
    fds: list[int] = []
    with many_descriptors():
        try:
            data = _overlay_data(lower, upper, work, fds, "")
            fds.append(os.open(path, _PATH))
            os.chdir("/proc/self/fd")
            m.mount("overlay", str(fds[-1]), "overlay", 0 if upper else m.MS_RDONLY, data)
        finally:
            os.chdir("/")  # all paths are absolute here
            close_all(fds)


def _overlay_data(lower: tuple[str, ...], upper: str, work: str, fds: list[int], prefix: str) -> str:
    """mount(2)'s data; the directories opened are added to `fds`."""

    def name(path: str) -> str:
        fds.append(os.open(path, _PATH))
        return f"{prefix}{fds[-1]}"

    words = ["userxattr", "lowerdir=" + ":".join([name(path) for path in lower])]
    if upper:
        words += ["upperdir=" + name(upper), "workdir=" + name(work)]
    return ",".join(words)
