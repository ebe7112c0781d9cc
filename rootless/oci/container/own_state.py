"""Our state directory in what a bind mount shows, hidden: a container that may write there says which processes `kill` signals and which
hooks `delete` runs, as the caller. Without --root, or as Slurm calls us, it lies in /tmp, which people mount without a thought of it.

Root's containers have root's state, which is as root has configured it: /run in a pod, shared with the host, is left as it is. Hot path.
"""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def hide(spec: dict[str, Any], root: str) -> None:
    """Add to the configuration's masked paths where its mounts show the state directory `root`."""
    if os.getuid() == 0:
        return
    state = os.path.realpath(root)
    found = []
    for mount in spec.get("mounts") or []:
        source = mount.get("source") or ""
        is_bind = mount.get("type") == "bind" or {"bind", "rbind"} & set(mount.get("options") or [])
        if is_bind and source.startswith("/"):
            above = os.path.realpath(source).rstrip("/")
            if state.startswith(above + "/"):
                found.append(os.path.join("/", mount["destination"], state[len(above) + 1 :]))
    if found:
        linux = spec.setdefault("linux", {})
        linux["maskedPaths"] = [*(linux.get("maskedPaths") or []), *found]
