"""The root of a pod's infra: an empty directory of its own, in which nothing but mount points comes to be."""

from __future__ import annotations

import os

from rootless.runtime.mounts.rootfs import Rootfs


def prepare(directory: str) -> Rootfs:
    """The root, in the container's `directory`."""
    path = directory + "/merged"
    os.makedirs(path, mode=0o755, exist_ok=True)
    return Rootfs("directory", (), "", "", path, True)
