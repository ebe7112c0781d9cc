"""The step of a tmpfs whose ids are mapped, and what the init does before it applies one.

Loaded by the plan, since whoever applies a step can import nothing any more.
"""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach, detached
from rootless.runtime.mounts.idmap import opened_inside

if TYPE_CHECKING:
    from rootless.runtime.mounts.idmap import MountIdMap
    from rootless.runtime.mounts.steps import Filesystem, Step


class MappedTmpfs(Record):
    """A tmpfs mounted by the init, and mounted once more with other ids."""

    tmpfs: Filesystem
    idmap: MountIdMap

    def describe(self) -> str:
        return f"{self.tmpfs.describe()} with other ids"

    def apply(self, root_fd: int) -> None:
        self.tmpfs.apply(root_fd)
        # Only a mount that is nowhere yet can be mapped.
        fd = detached(root_fd, self.tmpfs.guest_path)
        try:
            self.idmap.apply(fd)
            attach(fd, root_fd, self.tmpfs.guest_path, directory=True)
        finally:
            os.close(fd)


def prepare(plan: list[Step], *, undumpable: bool) -> list[Step]:
    """`plan` with the user namespaces that each MappedTmpfs needs; NotSupported for an undumpable process,
    whose maps nobody can write."""
    found: list[Step] = []
    for step in plan:
        if isinstance(step, MappedTmpfs):
            if undumpable:
                raise step.idmap.refused("the container joins namespaces and makes no user namespace")
            step = step._replace(idmap=opened_inside(step.idmap))
        found.append(step)
    return found
