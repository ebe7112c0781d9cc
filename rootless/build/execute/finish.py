"""The end of a step: what it wrote becomes a layer, by a rename."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.build.execute import engine_files
from rootless.errors import NotSupported
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.layers import steps


class Top(NamedTuple):
    """The root directory of a step's layer: as the layers below have it, until somebody changes it."""

    mode: int
    uid: int
    gid: int


def top_of(root: Rootfs) -> Top:
    """The top of the upper directory, on which nothing has been mounted yet. NotSupported for a root that is a copy:
    what a step changed in it nobody would know."""
    if root.driver == "directory":
        raise NotSupported(
            "images cannot be built with the storage driver `directory`, which copies every layer",
            hint="run `rootless doctor`: it says what overlay or fuse-overlayfs lack here",
        )
    return _top(root.upper)


def _top(path: str) -> Top:
    status = os.stat(path)
    return Top(status.st_mode, status.st_uid, status.st_gid)


def finish(new: steps.NewStep, root: Rootfs, top: Top, noted: list[engine_files.EngineFile]) -> str:
    """What was written on `root`, where nothing is mounted any more, as a step: its name, or "" where nothing
    was. `top` is what it began with; what was `noted` before the step's command ran is no part of it. The layers
    below may be elsewhere by now.
    """
    upper = root.upper
    if noted:
        engine_files.take_out(upper, noted)
    if not os.listdir(upper) and _top(upper) == top:
        return ""
    return new.commit(upper)
