"""The kernel's overlay of a container's layers, as many as an image has. HOT."""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.linux import mount as m
from rootless.linux.rlimit import many_descriptors
from rootless.record import TYPE_CHECKING
from rootless.runtime.descriptors import close_all

if TYPE_CHECKING:
    from rootless.runtime.mounts.rootfs import Rootfs

_PATH = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# As many as mount(2)'s one page of data has room for by /proc/self/fd/N, and OVL_MAX_STACK of the kernel.
_FEW_LAYERS, _MOST_LAYERS = 180, 500


def mount_overlay(root: Rootfs) -> None:
    """Mount it at its path.

    Layers are named by descriptor: no character in a path needs escaping, and no path of the host shows in
    mountinfo.
    """
    if len(root.lower) > _FEW_LAYERS:
        _mount_many_layers(root)
        return
    fds: list[int] = []
    try:
        data = _overlay_data(root, fds, "/proc/self/fd/")
        m.mount("overlay", root.path, "overlay", 0 if root.upper else m.MS_RDONLY, data)
    finally:
        close_all(fds)


def _mount_many_layers(root: Rootfs) -> None:
    """All that the kernel takes: mount(2) has one page for their names, which are numbers in this directory."""
    if len(root.lower) > _MOST_LAYERS:
        raise NotSupported(
            f"the image has {len(root.lower)} layers, and the kernel's overlay holds {_MOST_LAYERS}",
            hint="squash the image, or give each container a copy: ROOTLESS_STORAGE_DRIVER=directory",
        )
    fds: list[int] = []
    with many_descriptors():
        try:
            data = _overlay_data(root, fds, "")
            fds.append(os.open(root.path, _PATH))
            os.chdir("/proc/self/fd")
            m.mount("overlay", str(fds[-1]), "overlay", 0 if root.upper else m.MS_RDONLY, data)
        finally:
            os.chdir("/")  # all paths are absolute here
            close_all(fds)


def _overlay_data(root: Rootfs, fds: list[int], prefix: str) -> str:
    """mount(2)'s data; the directories opened are added to `fds`."""

    def name(path: str) -> str:
        fds.append(os.open(path, _PATH))
        return f"{prefix}{fds[-1]}"

    words = ["userxattr", "lowerdir=" + ":".join([name(path) for path in root.lower])]
    if root.upper:
        words += ["upperdir=" + name(root.upper), "workdir=" + name(root.work)]
    return ",".join(words)
