"""What `exec` is asked for, and how it came in. Hot path."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.runtime.process.run_command import Confinement

TERMINAL, PIPES, NULL, INHERITED = "terminal", "pipes", "null", "inherited"


class ExecStdio(Record):
    """The process's standard streams: a new terminal (its size, 0 = unset), pipes (stdin only if asked for),
    /dev/null, or the caller's own, which become the user's of the process unless they `keep_owner`."""

    kind: str
    open_stdin: bool = False
    rows: int = 0
    columns: int = 0
    keep_owner: bool = False


class CgroupTarget(Record):
    """The cgroup that the process starts in: the container's, "" for ours. `unit` is systemd's scope around it, "" for
    none; `optional`: ours will do where we may not move there."""

    path: str = ""
    unit: str = ""
    optional: bool = False


class ExecRequest(Record):
    """A process for a running container, keyword arguments only."""

    pid: int  # the container's PID 1
    start_time: int
    process: dict[str, Any]  # an OCI process object
    stdio: ExecStdio
    cgroup: CgroupTarget = CgroupTarget()
    # The container's spec.linux, of which seccomp, personality and memoryPolicy hold for each of its processes.
    linux: dict[str, Any] = {}
    cache_dir: str = ""  # of compiled filters, ROOT/seccomp; "": this user's own
    preserve_fds: int = 0  # how many descriptors after stderr the process inherits
    passed_fds: tuple[int, ...] = ()  # what it inherits besides, with the numbers that they have
    # The namespaces to join, as namespaces.differing has them, where PID 1 is an init that waits for `start`: nobody
    # may read them through /proc. Closed. None: those of PID 1.
    namespaces: tuple[tuple[int, int], ...] | None = None
    dies_with_parent: bool = False  # its parent keeps its streams and its exit code: without, nobody could know
    # Of ids.LEVELS, and the directory that the container's start had: "": the kernel's ids are all there are.
    ids: str = ""
    run_dir: str = ""
    # Called with the process's pid and the descriptor of a filter that notifies, which is closed afterwards.
    listener: Callable[[int, int], None] | None = None
    # Called once the command has been executed, with how it was.
    report: Callable[[Entered], object] | None = None
    # Called where the command has not been executed after some seconds; it is waited for all the same.
    late: Callable[[], object] | None = None


class Entered(Record):
    """How a process came into its container: what another one with the same request would find. `namespaces` are the CLONE_NEW* flags
    of those that it joined; who it is, the container's files said (without a `home`: at a length that is not told): `files` are the
    path and the identity (file_identity) of each."""

    request: ExecRequest
    namespaces: int
    confinement: Confinement
    uid: int
    gid: int
    groups: list[int]
    keeps_groups: bool
    home: str
    files: list[str]
