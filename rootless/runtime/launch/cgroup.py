"""Where a container's init is cloned: into its cgroup, and below a user namespace that limits it.

Without a cgroup RLIMIT_NPROC is the limit, counted per user namespace (Linux 5.14). For a whole namespace
the limit is its creator's, against all that the creator's user has in the namespace above. An extra, empty
namespace above the container's makes that exact, for all users of the container and for namespaces inside it.
Hot path.
"""

from __future__ import annotations

import os

from rootless.cgroup import apply, cgroupfs
from rootless.cgroup.candidate import outgrown
from rootless.cgroup.create import CgroupResult
from rootless.errors import InvalidInput, RootlessError
from rootless.linux import namespace as n
from rootless.record import TYPE_CHECKING
from rootless.runtime.clone import TOO_OLD, clone, clone_into

if TYPE_CHECKING:
    from typing import Protocol

    class ContainerCgroup(Protocol):
        """The cgroup of a container that is being started, or none, from its making to its removal.

        Used by the supervisor (of rootless-oci: `create`) alone, but for `clone`, which an intermediate calls
        where namespaces are joined."""

        @property
        def processes(self) -> int:
            """How many the container may have, held by a user namespace above its own; 0: no such namespace."""

        @property
        def clone_fd(self) -> int:
            """The descriptor that `clone` needs; -1: none."""

        def clone(self, flags: int) -> int:
            """Fork the init with `flags`, where that can be into the cgroup. fork(2)'s result; OSError."""

        def enter(self, pid: int) -> None:
            """Put the init `pid` into the cgroup if it is not there yet: before it does anything."""

        def apply_late_limits(self) -> None:
            """Set the limits that would have been in the way of setting the container up."""

        def explain(self, error: BaseException) -> BaseException:
            """The error, or the limit of the cgroup that is behind it."""

        def remove(self) -> None:
            """Kill what is left in the cgroup and remove it. Idempotent."""


class LaunchCgroup:
    """A ContainerCgroup of the engine: the result of cgroup/create.py in use."""

    def __init__(self, result: CgroupResult) -> None:
        self.result = result

    @property
    def processes(self) -> int:
        """The limit that is held by a user namespace between ours and the container's; 0: none."""
        return self.result.processes

    @property
    def clone_fd(self) -> int:
        """The cgroup's directory."""
        return self.result.fd

    def clone(self, flags: int) -> int:
        """clone(2) into the cgroup, where there is one. The cgroup namespace is left to the child."""
        flags &= ~n.CLONE_NEWCGROUP
        fd = self.result.fd
        if fd < 0:
            return clone(flags)
        try:
            return clone_into(flags, fd)
        except OSError as error:
            if error.errno not in TOO_OLD:
                raise
        pid = clone(flags)
        if pid:
            # Moving it after the clone is safe: it does nothing until it receives "mapped".
            cgroupfs.write(f"/proc/self/fd/{fd}/cgroup.procs", str(pid))
        return pid

    def enter(self, pid: int) -> None:
        """Nothing is left to do: `clone` has put it there."""

    def apply_late_limits(self) -> None:
        """Set the memory limit that our own Python would not have fitted in."""
        if self.result.later:
            apply.apply(self.result.path, list(self.result.later))

    def explain(self, error: BaseException) -> BaseException:
        """The error, or the limit that is behind it."""
        path = self.result.path
        if not path or (isinstance(error, RootlessError) and type(error) is not RootlessError):
            return error
        limit = outgrown(path)
        if limit == "memory.max":
            return InvalidInput(
                "the container was killed while it was being started: its memory limit is too low",
                hint="give it more with --memory",
            )
        if limit == "pids.max":
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
