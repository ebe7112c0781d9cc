"""--ipc container:NAME: whether the other container lets its IPC be shared, and its /dev/shm for this one.

Imported where it is asked for.
"""

from __future__ import annotations

import os
import stat

from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig
from rootless.errors import Conflict
from rootless.runtime.inside import clone_tree
from rootless.storage.containers import containers
from rootless.storage.store import Store

SHM = "/dev/shm"


def shared_trees(store: Store, record: ContainerConfig) -> dict[str, int]:
    """{/dev/shm: a detached copy of the other container's}, the caller's, where nothing else is mounted there.

    A path of another mount namespace cannot be bound: the tree is cloned there and passed on. Conflict, in
    Docker's words, where the other container keeps its IPC for itself (the default), or does not run.
    """
    other = containers.find(store, record["ipc"].partition(":")[2])
    mode = containers.config(store, other)["ipc"]
    if mode not in ("shareable", "host") and not mode.startswith("container:"):
        raise Conflict(
            f"container {other}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
            hint="create that one with --ipc shareable",
        )
    if any(mount["target"] == SHM for mount in record["mounts"]):
        return {}
    with running.require(store, other) as found:
        fd = clone_tree(found.pid, found.pidfd, SHM, recursive=False)
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise Conflict(f"{SHM} of container {other[:12]} is no directory any more")
    return {SHM: fd}
