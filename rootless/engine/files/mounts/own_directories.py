"""Our own directories in what a bind mount shows: RUNTIME and a store's local place often lie in /tmp, which people mount without a
thought of them. A container that may write there has the caller's account: the next command believes what it finds.

So they are hidden, as what is masked of /proc is. Whoever names one of them itself, or a part of it, gets it. Imported where there
is a bind.
"""

from __future__ import annotations

import os
import posixpath

from rootless import paths
from rootless.engine.options.mount_config import Mount
from rootless.storage.directories import is_private
from rootless.storage.store import Store


def below(store: Store, mounts: list[Mount]) -> list[str]:
    """Where in the container our own directories would be seen, `mounts` being those of this start, resolved."""
    sources = [(source.rstrip("/"), mount["target"]) for mount in mounts if (source := _source(mount))]
    fallback = paths.fallback_directory()
    if any(f"{fallback}/".startswith(source + "/") for source, _ in sources):
        # Or the container makes it, for a command of ours that finds no other directory.
        paths.make_private(fallback)
        paths.make_private(_fallback_of_oci())
    own = {os.path.realpath(path) for path in (store.runtime, fallback, *((store.root,) if store.shared else ()))}
    for above in {os.path.dirname(path) for path in own} if sources else ():
        if any(f"{above}/".startswith(source + "/") for source, _ in sources):
            own |= _beside(above)
    return [posixpath.join(target, path[len(source) + 1 :])
            for source, target in sources for path in sorted(own) if path.startswith(source + "/")]  # fmt: skip


def _fallback_of_oci() -> str:
    """What `rootless-oci` believes: its containers' configurations have hooks, which it runs (oci/state.py, default_root)."""
    return f"/tmp/rootless-oci-{paths.host_uid()}"


def _beside(directory: str) -> set[str]:
    """What other commands of the user's have there: of other stores, batch jobs and user namespaces, and of `rootless-oci`."""
    ours = ("rootless-in-", "rootless-oci", "rootless-job-", f"rootless-{paths.host_uid()}")
    try:
        names = os.listdir(directory)
    except OSError:
        return set()
    found = (os.path.join(directory, name) for name in names if name == "rootless" or name.startswith(ours))
    return {path for path in found if is_private(path)}


def _source(mount: Mount) -> str:
    if "oci" in mount:
        return str(mount["oci"]["source"]) if mount["oci"]["type"] == "bind" else ""
    return mount["source"] if mount["type"] == "bind" else ""
