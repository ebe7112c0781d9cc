"""The end of a step: what it wrote becomes a layer, by a rename."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.build.execute import copied_root, engine_files
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.session import session
from rootless.storage import owner_file
from rootless.storage.layers import layer_owners, steps
from rootless.storage.owner_file import Owners


class Top(NamedTuple):
    """The root directory of a step's layer: as the layers below have it, until somebody changes it."""

    mode: int
    uid: int
    gid: int


def top_of(root: Rootfs) -> Top:
    """The top of the upper directory, on which nothing has been mounted yet; of a copy, what is in it is noted."""
    if root.driver == "directory":
        copied_root.note(root.path)
        return _top(root.path)
    return _top(root.upper)


def _top(path: str) -> Top:
    status = os.stat(path)
    return Top(status.st_mode, status.st_uid, status.st_gid)


def finish(
    new: steps.NewStep, root: Rootfs, top: Top, noted: list[engine_files.EngineFile], *, owners: Owners | None = None
) -> str:
    """What was written on `root`, where nothing is mounted any more, as a step: its name, or "" where nothing
    was. `top` is what it began with; what was `noted` before the step's command ran is no part of it. `owners`: of
    files that cannot say so themselves, where those have no id here. The layers below may be elsewhere by now.
    """
    if root.driver == "directory":
        changed = _top(root.path) != top
        upper = copied_root.changes(root.path)
        return _commit(new, upper, owners) if changed or os.listdir(upper) else ""
    upper = root.upper
    if noted:
        engine_files.take_out(upper, noted)
    if not os.listdir(upper) and _top(upper) == top:
        return ""
    if owners and root.driver == "fuse-overlayfs":
        from rootless.storage.layers import recorded

        recorded.say_below(upper, owners)
    return _commit(new, upper, owners)


def _commit(new: steps.NewStep, upper: str, owners: Owners | None) -> str:
    """What says itself whose it is was copied from the image, or made with emulated ids: a later session knows by owners.json
    that its containers need those. Where there are many ids and none is emulated, nothing was recorded for an id that is here."""
    links = owner_file.read(new.path)
    said = layer_owners.said_by(upper, links) if session.join().single_id or links.kept else {}
    return new.commit(upper, {**said, **(owners or {})})
