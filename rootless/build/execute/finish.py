"""The end of a step: what it wrote becomes a layer, by a rename."""

from __future__ import annotations

import os

from rootless.build.execute import engine_files
from rootless.errors import NotSupported
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.layers import steps


def require_layers(root: Rootfs) -> None:
    """Refuse a root that is a copy: what a step changed in it nobody would know."""
    if root.driver == "directory":
        raise NotSupported(
            "images cannot be built with the storage driver `directory`, which copies every layer",
            hint="run `rootless doctor`: it says what overlay or fuse-overlayfs lack here",
        )


def finish(new: steps.NewStep, root: Rootfs, noted: list[engine_files.EngineFile]) -> str:
    """What was written on `root`, where nothing is mounted any more, as a step: its name, or "" where nothing
    was. What was `noted` before the step's command ran is no part of it."""
    upper = root.upper
    if noted:
        engine_files.take_out(upper, noted)
    if not os.listdir(upper) and _same_top(upper, root):
        return ""
    return new.commit(upper)


def _same_top(upper: str, root: Rootfs) -> bool:
    """Whether the root directory itself has its mode and its owner still."""
    below, now = os.stat(root.lower[0]), os.stat(upper)
    return (below.st_mode, below.st_uid, below.st_gid) == (now.st_mode, now.st_uid, now.st_gid)
