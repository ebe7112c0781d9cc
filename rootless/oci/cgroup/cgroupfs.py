"""Where a container's cgroup is made when it is not systemd that makes it: as `linux.cgroupsPath` says
where this account may, else in a subtree that is ours to divide. HOT where something is asked."""

from __future__ import annotations

import os

from rootless.cgroup import apply, cgroupfs, subtrees
from rootless.errors import NotSupported, RootlessError
from rootless.oci.cgroup import cgroup
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.cgroup.limits import Setting
    from rootless.oci.cgroup.cgroup import Cgroup
    from rootless.oci.cgroup.device_filter import Program


def place(wanted: str, name: str, lines: list[Setting], devices: Program | None, *, systemd: bool) -> Cgroup:
    """The cgroup of the container `name`, with its limits. `wanted` is linux.cgroupsPath; `systemd`: a scope
    will do, where nothing else can have the limits. NotSupported; nothing is left then."""
    found = subtrees.search()
    controllers = cgroup.needed(lines)
    now, later = cgroup.split(lines)
    refused = NotSupported("this account may not make cgroups here", hint=found.hint)
    for directory in _candidates(wanted, name, found):
        try:
            given = _make(directory, controllers)
            fd = cgroupfs.create(directory)
        except OSError as error:
            refused = NotSupported(f"{error.filename or directory}: {error.strerror}", hint=found.hint)
            continue
        try:
            if lacking := controllers - given:
                raise cgroup.lacks(lines, lacking, directory, found.hint)
            apply.apply(directory, now)
            _try(directory)
            return cgroup.Cgroup(directory, fd, later=later, devices=devices)
        except OSError as error:
            refused = NotSupported(f"{error.filename or directory}: {error.strerror}", hint=found.hint)
        except NotSupported as error:
            refused = error
        except RootlessError:
            os.close(fd)
            cgroupfs.remove(directory, 0)
            raise
        os.close(fd)
        cgroupfs.remove(directory, 0)
    if not lines:
        if wanted:
            # runc and crun fail here, and with them containerd as rootlesskit starts it: nothing is limited.
            LOG.warn(f"linux.cgroupsPath: {wanted} cannot be had, the container has no cgroup: {refused.message}")
        return cgroup.none(devices, refused.message)
    if systemd and any(subtree.how == "systemd" for subtree in found.subtrees):
        from rootless.oci.cgroup import systemd as scopes

        return cgroup.SystemdCgroup(scopes.read("", name), name, lines, devices)
    names = ", ".join(dict.fromkeys(line.limit for line in lines))
    if names in refused.message:
        raise refused
    raise NotSupported(f"{names} cannot be enforced: {refused.message}", hint=refused.hint)


def _try(directory: str) -> None:
    """Whether a process of ours may be put there: told by a child that goes in and ends."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cgroupfs.write(directory + "/cgroup.procs", "0")
            code = 0
        except OSError as error:
            code = error.errno or 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code), directory + "/cgroup.procs")


def _candidates(wanted: str, name: str, found: subtrees.Search) -> list[str]:
    """Directories to try, the one that is asked for first."""
    mount = subtrees.mount_point()
    if not mount:
        return []
    directories = []
    if wanted.startswith("/") and ".." not in wanted.split("/"):
        directories.append(mount + os.path.normpath(wanted))
    for subtree in found.subtrees:
        if subtree.path:
            leaf = os.path.normpath("/" + wanted).lstrip("/") if wanted else f"rootless-oci-{name}"
            directories.append(f"{subtree.path}/{leaf}")
    return list(dict.fromkeys(directories))


def _make(directory: str, needed: frozenset[str]) -> frozenset[str]:
    """Make the parents of `directory` and hand `needed` controllers down to it; what arrives."""
    parent = os.path.dirname(directory)
    os.makedirs(parent, 0o755, exist_ok=True)
    if not needed:
        return needed
    chain = [parent]
    mount = subtrees.mount_point()
    while chain[-1] != mount and len(chain) < 32:
        chain.append(os.path.dirname(chain[-1]))
    given: frozenset[str] = frozenset()
    for path in reversed(chain):
        try:
            given = cgroupfs.enable(path, needed)
        except OSError:
            if path == parent:
                cgroupfs.clear(path, f"{path}/{subtrees.LEAF}")
                given = cgroupfs.enable(path, needed)
    return given & needed
