"""doctor: can a user namespace be made, and which ids does it get."""

from __future__ import annotations

import os

from rootless import paths
from rootless.engine.doctor.result import ProbeResult, ProbeStatus, error, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.session import diagnosis
from rootless.session.ids import idmap, mapping, subids


def user_namespace(_: Scene) -> ProbeResult | list[ProbeResult]:
    """Made and used in a forked child; where that fails, every knob that may be the reason."""
    if os.getuid() == 0 and idmap.is_initial(idmap.current_map("uid")):
        return error("user namespace", "this is the host's root", "rootless does not run as root",
                     "su - NAME, or: runuser -u NAME -- rootless ...", "useradd -m NAME")  # fmt: skip
    problem = diagnosis.try_user_namespace()
    if problem is None:
        limit = diagnosis.read_fact("/proc/sys/user/max_user_namespaces") or "unknown"
        return ok("user namespace", f"can be made (user.max_user_namespaces is {limit})")
    return [
        ProbeResult("user namespace", ProbeStatus.ERROR, each)
        for each in diagnosis.user_namespaces(error=problem)
    ]


def ids(scene: Scene) -> list[ProbeResult]:
    """A session of its own, made and looked at: newuidmap runs as it would for a container."""
    uid = paths.host_uid()
    # Before joining: inside, the owner of a setuid program on the host is nobody.
    outside = uid != 0 and not paths.in_session()
    noticed = subids.findings(uid, mapping.user_name(uid)) if outside else []
    joined = scene.join()
    count = sum(part.size for part in joined.uid_map)
    groups = sum(part.size for part in joined.gid_map)
    found = [] if joined.single_id else [ok("ids", f"{count} user and {groups} group ids are mapped")]
    if uid == 0:
        return found or [warning("ids", "this container has a single id", "containers have one user id only")]
    found += [ProbeResult("ids", ProbeStatus.WARNING, each) for each in noticed]
    lost = diagnosis.no_new_privileges()
    if lost is not None and joined.single_id:
        found.append(ProbeResult("ids", ProbeStatus.WARNING, lost))
    return found or [warning("ids", "a single id is mapped", "containers have one user id only")]


PROBES = (
    Probe("user namespace", user_namespace, essential=True),
    Probe("ids", ids, essential=True, needs="user namespace"),
)
