"""A scope of systemd for what serves the hub: it outlives the container whose start made it, and that container's scope or
unit, which is to end with it, and takes with it what is in its cgroup. Where no systemd answers it stays where it is."""

from __future__ import annotations

import os

from rootless.cgroup import subtrees
from rootless.errors import RootlessError

_OURS = "rootless_networks-"  # not "rootless-", by which subtrees.is_container_scope() knows a container's


def move_out(pid: int, what: str) -> None:
    """Have systemd put `pid`, this process or a child of its, into a scope of its own; nothing in a batch job, whose
    accounting it would leave, outside of units of this user's systemd, and in a scope that was made here."""
    known = subtrees.facts()
    above = known.own.split("/")
    in_unit = f"user@{known.uid}.service" in above or subtrees.is_container_scope(os.path.dirname(known.own))
    if not in_unit or above[-1].startswith(_OURS) or subtrees.batch_system(known.text):
        return
    from rootless.cgroup import create, systemd
    from rootless.cgroup.bus import TIMEOUT_S

    try:
        systemd.start(
            known,
            f"{_OURS}{what}-{pid}",
            description=f"networks of containers ({what})",
            slice_name=create.SLICE,
            settings=[],
            pid=pid,
            answers_s=TIMEOUT_S,
        )
    except (OSError, RootlessError):
        pass  # that scope or unit stays for as long as the process does
