"""Where a container's PID 1 is cloned: into its cgroup, and below a user namespace that bounds it. HOT.

Without a cgroup the number of processes is held by the kernel's per-namespace count of RLIMIT_NPROC
(Linux 5.14). It bounds the processes of one user in one namespace, and a namespace as a whole by the limit
that its maker had, against all that its maker's user has in the namespace above. So the container's
user namespace gets one above it that holds nothing else: then the bound is exact and for all users of
the container together, those of namespaces inside it included.
"""

from __future__ import annotations

import errno
import os

from rootless.cgroup import apply, cgroupfs, join
from rootless.cgroup.create import CgroupResult
from rootless.errors import InvalidInput, RootlessError
from rootless.linux import namespace as n
from rootless.runtime.clone import clone, clone_into
from rootless.runtime.process import credentials

_TOO_OLD = (errno.ENOSYS, errno.E2BIG, errno.EINVAL, errno.EOPNOTSUPP)


class LaunchCgroup:
    """The result in use; made and used in A, B and C."""

    def __init__(self, result: CgroupResult) -> None:
        self.result = result

    @property
    def limits_processes(self) -> bool:
        """Whether there is to be a user namespace between ours and the container's."""
        return self.result.processes > 0

    def clone(self, flags: int) -> int:
        """clone(2) into the cgroup, where there is one. The cgroup namespace is left to the child."""
        flags &= ~n.CLONE_NEWCGROUP
        fd = self.result.fd
        if fd < 0:
            return clone(flags)
        try:
            return clone_into(flags, fd)
        except OSError as error:
            if error.errno not in _TOO_OLD:
                raise
        pid = clone(flags)
        if pid:
            # It waits for its ids, or for the one who cloned it, and does nothing before.
            cgroupfs.write(f"/proc/self/fd/{fd}/cgroup.procs", str(pid))
        return pid

    def clone_intermediate(self) -> int:
        """Fork into the user namespace that will be above the container's."""
        return clone(n.CLONE_NEWUSER)

    def limit_processes(self) -> int:
        """Bound the user namespaces made from now on by this process; what to restore afterwards."""
        return credentials.limit_processes(self.result.processes)

    def apply_late_limits(self) -> None:
        """What may only hold once the command runs: a memory limit that our own Python would not fit in."""
        if self.result.later:
            apply.apply(self.result.path, list(self.result.later))

    def explain(self, error: BaseException) -> BaseException:
        """The error, or the limit that is behind it."""
        path = self.result.path
        if not path or (isinstance(error, RootlessError) and type(error) is not RootlessError):
            return error
        if cgroupfs.events(path, "memory.events").get("oom_kill"):
            return InvalidInput(
                "the container was killed while it was being started: its memory limit is too low",
                hint="give it more with --memory",
            )
        if cgroupfs.events(path, "pids.events").get("max"):
            return InvalidInput(
                "the container could not be started within its --pids-limit", hint="allow it more processes"
            )
        return error

    def remove(self) -> None:
        """The start has failed: remove the cgroup. Idempotent."""
        if self.result.fd >= 0:
            os.close(self.result.fd)
            cgroupfs.kill(self.result.path)
            cgroupfs.remove(self.result.path)
            self.result = CgroupResult()


def fork_into(cgroup: str) -> tuple[int, bool]:
    """Fork into the cgroup at that path: fork(2)'s result, and whether the child is there. It is not where
    that takes somebody else's help (join.join), and is at home where `cgroup` is "". NotFound where the
    cgroup is gone, Conflict where it may hold no more processes."""
    fd = join.open_cgroup(cgroup)
    if fd < 0:
        return os.fork(), True
    try:
        return clone_into(0, fd), True
    except OSError as error:
        told = join.full(error, cgroup)
        if told is not None:
            raise told from None
        if error.errno == errno.ENODEV:
            raise cgroupfs.gone(cgroup, error) from None
        if error.errno not in (*_TOO_OLD, errno.EACCES, errno.EPERM, errno.ENOENT):
            raise
        return os.fork(), False
    finally:
        os.close(fd)
