"""exec: one more process in a running container. No lock, no session, no database. HOT.

    caller   enter(): holds the other ends, waits with wait()
     ├ E1    joins the namespaces through a pidfd of PID 1, clones E2 as the caller's child, ends
     └ E2    becomes the user, execs

Who E2 is, the kernel says; its wire is the container's as soon as it runs a program there.

The owner of the session's user namespace has every right in those below it, so E1 goes straight
from the host into the container. Everything that an answer of the container's own /proc could
falsify is read before it is entered.
"""

from __future__ import annotations

import os

from rootless.cgroup import join
from rootless.errors import FAILURES, Conflict, InvalidInput
from rootless.linux import namespace as n
from rootless.linux import signal
from rootless.linux.process import pidfd_open_checked, set_dumpable, set_pdeathsig
from rootless.linux.seccomp import SECCOMP_FILTER_FLAG_NEW_LISTENER
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, descriptors, monitor, namespaces, sync
from rootless.runtime.clone import CLONE_PARENT, clone
from rootless.runtime.launch.cgroup import fork_into
from rootless.runtime.launch.init import InitProgress, read_environment, reset_signals
from rootless.runtime.process import credentials, landlock, scheduling, terminal
from rootless.runtime.process.command import find_command
from rootless.runtime.process.sealed_exec import (
    exec_sealed,
    keep_channel,
    listener_of,
    open_exec_helper,
    raise_exec_error,
    terminal_of,
)
from rootless.runtime.seccomp import profile as seccomp

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from rootless.runtime.process.capabilities import Capabilities


class ExecProcess(Record):
    """A process in a container, the caller's child. Descriptors are the caller's; -1: not there."""

    pid: int
    pidfd: int
    terminal_fd: int = -1
    stdin_fd: int = -1
    stdout_fd: int = -1
    stderr_fd: int = -1


class _ExecRequest(Record):
    pidfd: int
    fds: tuple[tuple[int, int], ...]  # the namespaces to join: (flag, descriptor)
    process: dict[str, Any]
    streams: monitor.ContainerStreams
    rows: int
    columns: int
    filter: credentials.Filter
    capabilities: Capabilities
    keyring: bool
    preserve_fds: int
    scopes: int
    program: int  # sealed_exec.py's
    cgroup: str = ""
    cgroup_unit: str = ""
    cgroup_optional: bool = False
    linux: dict[str, Any] | None = None


def exec_in_container(
    pid: int,
    start_time: int,
    process: dict[str, Any],
    *,
    terminal: bool,
    stdin: bool,
    detach: bool,
    rows: int = 0,
    columns: int = 0,
    seccomp_profile: dict[str, Any] | None = None,
    linux: dict[str, Any] | None = None,
    cache_dir: str | None = None,
    inherit: bool = False,
    preserve_fds: int = 0,
    keyring: bool = True,
    listener: Callable[[int, int], None] | None = None,
    cgroup: str = "",
    cgroup_unit: str = "",
    cgroup_optional: bool = False,
) -> ExecProcess:
    """Run `process` (an OCI process object) in the container whose PID 1 is (pid, start_time).

    All namespaces in which that differs from us are joined. `seccomp_profile` is the container's
    spec.linux.seccomp, compiled into `cache_dir` (ROOT/seccomp); `linux` has its personality and memory
    policy. With `detach` its streams are /dev/null; with `inherit` they are the caller's, and so are the `preserve_fds` descriptors after
    them; otherwise a terminal, or pipes (stdin only if asked for). `listener` is called with the pid
    and the descriptor (closed afterwards) of a filter that notifies. Returns when the command
    has been executed. It is born in `cgroup`, the container's (in systemd's scope `cgroup_unit`, if in
    one; "": left where we are), `cgroup_optional`: if we may. Raises Conflict when the container has stopped, CommandNotFound,
    CommandNotExecutable, InvalidInput. The process is a child of the caller: see wait().
    """
    if not process.get("args"):
        raise InvalidInput("no command specified")
    try:
        pidfd = pidfd_open_checked(pid, start_time)
    except ProcessLookupError:
        raise Conflict("container is not running") from None
    try:
        if inherit and not terminal:
            streams = monitor.ContainerStreams((os.dup(0), os.dup(1), os.dup(2)))
        elif detach and not inherit:
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            streams = monitor.ContainerStreams((null, os.dup(null), os.dup(null)))
        else:
            streams = monitor.make_streams(monitor.Stdio(terminal, stdin))
        bpf = _filter(process, seccomp_profile, cache_dir)
        fds = namespaces.others(pid, pidfd)
        kinds = {flag for flag, _ in fds}
        capabilities = credentials.read_process_capabilities(process)
        request = _ExecRequest(
            pidfd, fds, process, streams, rows, columns, bpf, capabilities, keyring, preserve_fds,
            landlock.needed(process, own_network=n.CLONE_NEWNET in kinds, own_pid=n.CLONE_NEWPID in kinds),
            open_exec_helper(process), cgroup, cgroup_unit, cgroup_optional, linux,
        )  # fmt: skip
        return _enter(request, listener)
    finally:
        os.close(pidfd)


def _filter(
    process: dict[str, Any], profile: dict[str, Any] | None, cache_dir: str | None
) -> credentials.Filter:
    if not profile:
        return credentials.Filter()
    bounding = (process.get("capabilities") or {}).get("bounding") or []
    return seccomp.compiled(profile, bounding, cache_dir=cache_dir or seccomp.cache_directory(""))


def _enter(request: _ExecRequest, listener: Callable[[int, int], None] | None) -> ExecProcess:
    streams = request.streams
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited, the kernel would reap our child
    ours, theirs = sync.pair(cloned=True)
    first, placed = fork_into(request.cgroup)
    if first == 0:
        ours.close()
        _run_exec_intermediate(request, theirs, placed=placed)
    theirs.close()
    descriptors.close_all((*(fd for _, fd in request.fds), *(streams.child or ()), request.program))
    pid = pidfd = master = -1
    try:
        pid = ours.expect_cloned()
        pidfd = child.open_child(pid)
        if streams.child is None:
            master = terminal_of(ours.expect("terminal"))
        notifies = bool(request.filter.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
        message = ours.receive("seccomp", "refused") if notifies else ours.receive("refused")
        if message is not None and message.kind == "seccomp":
            listening = listener_of(message)
            try:
                if listener is not None:
                    listener(pid, listening)
            finally:
                os.close(listening)
            message = ours.receive("refused")
        raise_exec_error(message, request.process["args"])  # the end: it has exec'd
    except BaseException:
        if pidfd >= 0:
            child.end(pidfd)
        descriptors.close_all((pidfd, master, streams.stdin, streams.stdout, streams.stderr))
        raise
    finally:
        ours.close()
        os.waitpid(first, 0)
        if pidfd < 0:
            child.look_after(pid)  # killed before it could say who it is
    return ExecProcess(pid, pidfd, master, streams.stdin, streams.stdout, streams.stderr)


def _run_exec_intermediate(request: _ExecRequest, channel: sync.Channel, *, placed: bool) -> NoReturn:
    progress = InitProgress()
    try:
        set_pdeathsig(signal.SIGKILL)
        if not placed:
            progress.step = "join the container's cgroup"
            join.join(request.cgroup, request.cgroup_unit, optional=request.cgroup_optional)
        # Before anything of the container can see us (CVE-2016-9962).
        set_dumpable(False)
        progress.step = "join the container's namespaces"
        namespaces.enter(request.pidfd, request.fds)
        # What our caller had open is nothing of the container's, not even for a moment.
        kept = range(3, 3 + request.preserve_fds)
        descriptors.keep_only((channel.fileno(), request.program, *(request.streams.child or ()), *kept))
        descriptors.stop_importing()
        progress.step = "fork into the container"
        try:
            pid = clone(CLONE_PARENT)
        except OSError as error:
            raise join.full(error, request.cgroup) or error from None
        if pid == 0:
            _run_exec_process(request, channel)
    except FAILURES as error:
        channel.send_error(error, step=progress.step)
    finally:
        os._exit(0)


def _run_exec_process(request: _ExecRequest, channel: sync.Channel) -> NoReturn:
    progress = InitProgress()
    try:
        channel.send("cloned")
        _become(request, channel, progress)
    except FAILURES as error:
        channel.send_error(error, step=progress.step)
    finally:
        os._exit(125)


def _become(request: _ExecRequest, channel: sync.Channel, progress: InitProgress) -> None:
    process = request.process
    set_pdeathsig(signal.SIGKILL)
    reset_signals()
    os.setsid()
    progress.step = "scheduling"
    scheduling.apply_to_process(process, request.linux or {})
    affinity = process.get("execCPUAffinity") or {}
    if cpus := affinity.get("final") or affinity.get("initial"):
        os.sched_setaffinity(0, scheduling.cpu_list(cpus, name="process.execCPUAffinity"))
    progress.step = "become root of the container"
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    progress.step = "keyring"
    if request.keyring:
        credentials.new_keyring(filtered=bool(request.filter.bpf))
    progress.step = "user"
    user = credentials.resolve_user(process)
    progress.step = "rlimits"
    credentials.set_rlimits(process)
    progress.step = "security label"
    credentials.set_label(process)
    progress.step = "standard input and output"
    if request.streams.child is None:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        master, slave = terminal.open_terminal(root, rows=request.rows, columns=request.columns)
        channel.send("terminal", {}, (master,))
        os.close(master)
        terminal.use_terminal(slave, uid=user.uid)
    else:
        terminal.use_pipes(request.streams.child, uid=user.uid)
    progress.step = "become the user"
    credentials.become(user, umask=(process.get("user") or {}).get("umask"))
    progress.step = "working directory"
    credentials.change_directory(process.get("cwd") or "/")
    progress.step = "command"
    environment = read_environment(process, home=user.home, uid=user.uid)
    arguments = list(process["args"])
    path = find_command(arguments[0], environment)
    progress.step = "confine"
    credentials.close_all_but_stdio(preserve=request.preserve_fds)
    # As Docker's, it lives on when the command that started it is killed.
    set_pdeathsig(0)
    keep_channel(request.program, channel)
    notified = credentials.confine(process, request.capabilities, request.filter, request.scopes)
    if notified >= 0:
        channel.send("seccomp", {}, (notified,))
    progress.step = "exec"
    exec_sealed(request.program, channel, path, arguments, environment, seccomp=request.filter)


def wait(entered: ExecProcess) -> int:
    """Wait for the process: its wait status (os.waitstatus_to_exitcode). The descriptors stay open.

    The caller has no other children. RootlessError, exit code 137, where the container does not let us know.
    """
    return child.wait(entered.pid, entered.pidfd)
