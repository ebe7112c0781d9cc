"""Where a container's cgroup is made when it is not systemd that makes it: as `linux.cgroupsPath` says
where this account may, else in a subtree that is ours to divide."""

from __future__ import annotations

import os

from rootless.cgroup import cgroupfs, subtrees
from rootless.cgroup.candidate import Candidate, Refusal, needed, try_candidate
from rootless.errors import NotSupported
from rootless.oci.cgroup import cgroup
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.cgroup.limits import Setting
    from rootless.oci.cgroup.cgroup import Cgroup
    from rootless.oci.cgroup.device_filter import Program


# Limits of a cgroup that hold for all below it, with what each says where there is none.
_INHERITED = {
    "memory.max": "max", "memory.high": "max", "memory.swap.max": "max", "pids.max": "max",
    "cpu.max": "max", "io.max": "", "cpuset.cpus": "", "cpuset.mems": "",
    "cgroup.max.descendants": "max", "cgroup.max.depth": "max",
}  # fmt: skip


def create_cgroup(wanted: str, name: str, lines: list[Setting], devices: Program | None, *, systemd: bool) -> Cgroup:
    """The cgroup of the container `name`, with its limits. `wanted` is linux.cgroupsPath; `systemd`: a scope
    will do, where nothing else can have the limits. NotSupported; nothing is left then."""
    found = subtrees.search()
    refused = NotSupported("this account may not make cgroups here", hint=found.hint)
    for candidate in _candidates(wanted, name, needed(lines), found):
        made = try_candidate(candidate, lines, found.hint)
        if not isinstance(made, Refusal):
            return cgroup.Cgroup(made.path, made.fd, later=made.later, devices=devices)
        refused = made.error or NotSupported(made.message, hint=found.hint)
        if candidate.where == wanted and (limit := limit_above(candidate.path, subtrees.facts())):
            raise NotSupported(
                f"linux.cgroupsPath: {wanted} cannot be had, and the limit in {limit} would not hold for the "
                f"container: {refused.message}",
                hint=found.hint,
            )
    if not lines:
        if wanted:
            # No error: rootless containerd and Docker name a path for every container. Nothing limits it there.
            LOG.warn(f"linux.cgroupsPath: {wanted} cannot be had, the container has no cgroup: {refused.message}")
        return cgroup.none(devices, refused.message)
    if systemd and any(subtree.how == "systemd" for subtree in found.subtrees):
        from rootless.oci.cgroup import systemd as scopes

        return cgroup.SystemdCgroup(scopes.read("", name), name, lines, devices)
    names = ", ".join(dict.fromkeys(line.limit for line in lines))
    if names in refused.message:
        raise refused
    raise NotSupported(f"{names} cannot be enforced: {refused.message}", hint=refused.hint)


def _candidates(
    wanted: str, name: str, controllers: frozenset[str], found: subtrees.Search
) -> list[Candidate]:
    """The cgroups to try, the one that is asked for first."""
    mount = subtrees.mount_point()
    if not mount:
        return []
    candidates = {}
    if wanted.startswith("/") and ".." not in wanted.split("/"):
        path = mount + os.path.normpath(wanted)
        candidates[path] = Candidate(path, mount, controllers, True, wanted)
    for subtree in found.subtrees:
        if subtree.path:
            leaf = os.path.normpath("/" + wanted).lstrip("/") if wanted else f"rootless-oci-{name}"
            path = f"{subtree.path}/{leaf}"
            candidates.setdefault(path, Candidate(path, mount, controllers, True, path))
    return list(candidates.values())


def limit_above(path: str, known: subtrees.Facts) -> str:
    """The file of a limit that holds for the cgroup `path` through one above it, and not for us; "" for none."""
    directory = os.path.dirname(path)
    while len(directory) > len(known.mount):
        if not (known.directory + "/").startswith(directory + "/"):
            for file, none in _INHERITED.items():
                value = cgroupfs.read(directory, file)
                if value and value.split()[0] != none:
                    return f"{directory}/{file}"
        directory = os.path.dirname(directory)
    return ""
