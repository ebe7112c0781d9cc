"""How one more process (`exec`) comes into a running container's cgroup.

The kernel wants write access to the common ancestor of both cgroups (cgroup-v2.rst, Delegation
Containment). From a login outside of the container's subtree we do not have that; the user's
systemd then moves the process, which asks the machine's systemd in turn. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.cgroup import cgroupfs, subtrees
from rootless.errors import Conflict, NotSupported, RootlessError


def open_cgroup(path: str) -> int:
    """A descriptor for a clone into the cgroup, the caller's; -1 where the container has none.
    NotFound where it has been removed."""
    if not path:
        return -1
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cgroupfs.gone(path, error) from None


def join(path: str, unit: str, *, optional: bool = False) -> None:
    """Move this very process into the cgroup; NotSupported where nobody may do that, unless it is
    `optional` (no limit depends on it)."""
    try:
        cgroupfs.write(path + "/cgroup.procs", "0")
        return
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise cgroupfs.gone(path, error) from None
    unit = unit or subtrees.unit_of(path)
    if unit:
        from rootless.cgroup import systemd

        try:
            known = subtrees.facts()
            systemd.attach(known, unit, path.rpartition(f"/{unit}")[2], os.getpid(), path)
            return
        except RootlessError as error:
            why = error.message
    else:
        why = "it lies outside of the cgroups that this login may write"
    if optional:
        return
    raise NotSupported(
        f"cannot join the container's cgroup: {why}",
        hint="run this from where the container was started; its limits would not hold for the new process",
    )


def full(error: OSError, path: str) -> RootlessError | None:
    """What a clone refused with EAGAIN means in a container with a limit on processes."""
    if error.errno == errno.EAGAIN:
        limit = cgroupfs.read(path, "pids.max") if path else ""
        return Conflict(
            f"no more processes: the container has reached its limit{' of ' + limit if limit else ''} (--pids-limit)",
            hint="end some of them (`rootless top`), or raise it with `rootless update --pids-limit`",
        )
    return None
